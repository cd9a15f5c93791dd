// Tests that a run allocates no memory, by counting the calls of malloc and related functions during the run.
// Calls of OpenBLAS are not counted: the products of version 0.3.21 allocate in some runs on processors with
// AVX-512, and not on others.
//
// This file is not compiled with ASAN and TSAN, because their malloc cannot be replaced.
#include "test/program_samples.h"

#if !defined(FOREBAY_UNDER_ASAN) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)

#include <dlfcn.h>

#include <atomic>
#include <cstring>

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void count(const void* caller) {
  if (!counting.load(std::memory_order_relaxed)) return;
  Dl_info library;
  const bool known = dladdr(caller, &library) != 0 && library.dli_fname != nullptr;
  if (known && std::strstr(library.dli_fname, "openblas") != nullptr) return;
  allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// These functions replace those of the C library. operator new calls them too.
extern "C" {
void* malloc(std::size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_malloc(bytes);
}
void* calloc(std::size_t items, std::size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_calloc(items, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_realloc(memory, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  count(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? 12 : 0;  // ENOMEM
}
}

using namespace forebay;
using namespace forebay::test;

TEST_CASE("a run allocates nothing") {
  // First checks that allocations are counted.
  allocations = 0;
  counting = true;
  void* volatile some = std::malloc(10);
  delete[] new (std::nothrow) char[static_cast<std::size_t>(some != nullptr ? 100 : 200)];
  counting = false;
  std::free(some);
  CHECK(allocations.load() == 2);

  Generator generator(21);
  for (int round = 0; round < 20; ++round) {
    Code code;
    Space space(code);
    addSomeGroup(generator, code, space, false);
    addSomeProduct(generator, code, space);
    addSomePackedProduct(generator, code, space);
    addSomeReduction(generator, code, space);
    addSomeBatchProduct(generator, code, space);
    addSomeRandom(generator, code, space);
    addSomeCopy(generator, code, space, false);
    for (std::int64_t id = 0; id < routineCount; ++id) addRoutine(generator, code, space, *routines[id]);
    for (int i = 0; i < 3; ++i) addSomeLoop(generator, code, space);
    code.writesBegin();
    addSomeGroup(generator, code, space, true);
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    const std::vector<void*> feeds = memory.feeds(), outputs = memory.outputMemory();
    RunArguments arguments;
    arguments.feeds = feeds.data();
    arguments.outputs = outputs.data();
    RunFailure failure;
    for (const int threads : {1, 4}) {
      for (const bool check : {false, true}) {
        arguments.threads = threads;
        arguments.checkFinite = check;
        program->run(arguments, failure);  // starts threads and lets OpenBLAS allocate its buffer
        allocations = 0;
        counting = true;
        program->run(arguments, failure);
        counting = false;
        CHECK(allocations.load() == 0);
      }
    }
  }
}

#endif
