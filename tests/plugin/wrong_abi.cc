// A plugin for another distal: it is refused by its tag, before its methods are asked for.

namespace {

void never(void*) { __builtin_trap(); }

struct {
  const char* abi;
  void (*add)(void*);
} const kPlugin = {"distal 0.0.1 (headers 0123456789abcdef), LibTorch 1.0.0, C++ ABI 1002.0",
                   never};

}  // namespace

extern "C" const void* distal_plugin() { return &kPlugin; }
