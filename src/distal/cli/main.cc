// The program is a door to libdistal.so, so that a plugin and the program share one catalogue.

#include "distal/cli/program.h"

int main(int argc, char** argv) { return distal::run_main(argc, argv); }
