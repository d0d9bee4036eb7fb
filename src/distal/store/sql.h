#pragma once
// SOCI without Boost: Debian builds SOCI with Boost, and its headers then want Boost's. Only
// templates over boost::fusion and boost::optional depend on the macro, no class layout does, so
// the rest works without. Include this, never <soci/soci.h>.

#include <soci/soci-config.h>
#undef SOCI_HAVE_BOOST
#undef SOCI_HAVE_BOOST_DATE_TIME
#include <soci/soci.h>
