#pragma once
// The sections of a report of many arms, as a sweep has them: what is worth its cost, maps of the
// grid, curves a strategy, and every arm in one table that can be sorted. They take the place of
// the sections that give each arm a row, a colour or a label of its own.

#include <optional>
#include <string>

#include "distal/report/summary.h"
#include "distal/report/sweep_grid.h"

namespace distal::sections {

/// With more arms than this a page is one of many arms, whether or not they are a grid.
inline constexpr size_t kMostArmsApart = 16;

/// The arms of a page of many arms; nothing: each arm has a place of its own in every section.
/// Without a grid each arm is a strategy of its own.
std::optional<SweepGrid> many_arms(const Summary& summary);

std::string front(const Summary& summary, const SweepGrid& grid);
std::string maps(const Summary& summary, const SweepGrid& grid);  // empty without a grid
std::string families(const Summary& summary, const SweepGrid& grid);
std::string all_arms(const Summary& summary, const SweepGrid& grid);

}  // namespace distal::sections
