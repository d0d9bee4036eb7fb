#pragma once
// The program `distal`: parses the command line, runs a command, prints what it throws.

namespace distal {

/// main(): returns the exit code. 0: done. 1: failed. 2: wrong usage. 128 + N: ended by signal N;
/// the command goes on from there. `--plugin FILE` may stand anywhere before a `--`; the plugins
/// are loaded before a command or a recipe is read.
int run_main(int argc, char** argv);

}  // namespace distal
