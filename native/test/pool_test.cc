// Tests the thread pool: every index runs once, no two threads have the same slot (the number of a scratch
// buffer) at the same time, and no caller causes a deadlock.
#include "program/pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

// Calls `body`, a lambda, for each index, on the threads of the pool.
template <class Body>
void runOn(int threads, int count, Body& body) {
  Pool::instance().run(
      threads, count, [](void* context, int index, int slot) { (*static_cast<Body*>(context))(index, slot); },
      &body);
}

// Sets the number of threads of the pool during its lifetime, so that tests do not depend on the machine.
struct Threads {
  explicit Threads(int threads) { Pool::instance().setThreads(threads); }
  ~Threads() { Pool::instance().setThreads(before); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int before = Pool::instance().threads();
};

}  // namespace

TEST_CASE("every index runs once, and its writes are visible to the caller") {
  const Threads four(4);
  for (const int count : {0, 1, 2, 3, 7, 1000}) {
    for (const int threads : {1, 2, 3, 9}) {
      std::vector<int> runs(static_cast<std::size_t>(count));  // not atomic, so that TSAN reports two writers
      auto body = [&](int index, int) { ++runs[static_cast<std::size_t>(index)]; };
      runOn(threads, count, body);
      CHECK(std::count(runs.begin(), runs.end(), 1) == count);
    }
  }
}

TEST_CASE("concurrent bodies of a run have different slots, and the caller's slot is 0") {
  const Threads three(3);
  const std::thread::id caller = std::this_thread::get_id();
  std::array<std::atomic<int>, 3> inside = {};
  std::atomic<int> clashes{0}, strangers{0};
  for (int round = 0; round < 200; ++round) {
    auto body = [&](int, int slot) {
      if (slot < 0 || slot >= 3 || (slot == 0) != (std::this_thread::get_id() == caller)) {
        ++strangers;
        return;
      }
      auto& here = inside[static_cast<std::size_t>(slot)];
      if (here.fetch_add(1) != 0) ++clashes;
      for (int i = 0; i < 200; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      --here;
    };
    runOn(8, 20, body);
  }
  CHECK(clashes == 0);
  CHECK(strangers == 0);
}

TEST_CASE("several threads take part if there is work for them") {
  const Threads two(2);
  // The call for each of the two indices waits until the other has begun, so a single thread would never
  // finish.
  std::atomic<int> arrived{0};
  auto body = [&](int, int) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  };
  runOn(2, 2, body);
  CHECK(arrived == 2);
}

TEST_CASE("a run that a body starts is done by the same thread") {
  const Threads three(3);
  std::atomic<int> inner{0}, elsewhere{0};
  auto outer = [&](int, int) {
    const std::thread::id here = std::this_thread::get_id();
    auto body = [&](int, int slot) {
      ++inner;
      if (slot != 0 || std::this_thread::get_id() != here) ++elsewhere;
    };
    runOn(3, 5, body);
  };
  runOn(3, 10, outer);
  CHECK(inner == 50);
  CHECK(elsewhere == 0);
}

TEST_CASE("the work of several concurrent callers is done") {
  const Threads three(3);
  std::atomic<long> total{0};
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        auto body = [&](int index, int) { total += index; };
        runOn(3, 10, body);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(total == 4L * 300 * 45);
}

TEST_CASE("a run with one thread, or a limit of one, stays on the calling thread") {
  const std::thread::id caller = std::this_thread::get_id();
  int strangers = 0;
  auto body = [&](int, int slot) { strangers += slot != 0 || std::this_thread::get_id() != caller; };
  {
    const Threads four(4);
    runOn(1, 100, body);
  }
  const Threads one(1);
  runOn(4, 100, body);
  CHECK(strangers == 0);
}

TEST_CASE("the limit is clamped between one and the maximum") {
  const Threads none(0);
  CHECK(Pool::instance().threads() == 1);
  Pool::instance().setThreads(100000);
  CHECK(Pool::instance().threads() == Pool::maxThreads);
}

#if !defined(__SANITIZE_THREAD__)  // TSAN does not support threads started after a fork
TEST_CASE("the child of a fork has a pool of its own") {
  const Threads two(2);
  const auto together = [] {
    std::atomic<int> arrived{0};
    auto body = [&](int, int) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
    };
    runOn(2, 2, body);
  };
  together();  // starts the thread of the parent process
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    together();
    _exit(7);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  together();
}
#endif
