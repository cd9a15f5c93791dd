// Tests all rules of locks.h together, with many threads. A leaf is two numbers, which are always equal
// except during a write. Leaves are plain memory, so that ThreadSanitizer reports a read during a write. Run
// this test with FOREBAY_SANITIZE=thread for that.
#include "program/locks.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "leaf_sets.h"
#include "program/runners.h"

namespace forebay {

namespace {

struct Leaf {
  std::int64_t one = 0, two = 0;
};

struct Run : Locks::Request, Runners::Job {
  struct Plan {
    Leaves reads, writes;
    std::vector<Leaf*> read, written;
    int steps = 1;
  };
  Run(Locks& in, const Plan& what, const void* line, std::atomic<int>& left)
      : Request({setOf(what.reads), setOf(what.writes), line}), locks(in), plan(what), unfinished(left) {}

  void compute() {
    for (int step = 0; step < plan.steps; ++step) {
      if (step > 0) locks.nextStep(*this);
      std::int64_t torn = 0;
      for (const Leaf* leaf : plan.read) torn += leaf->one != leaf->two;
      if (!plan.written.empty()) locks.beforeWrites(*this);
      for (Leaf* leaf : plan.written) {
        torn += leaf->one != leaf->two;
        ++leaf->one;
        ++leaf->two;
      }
      tornReads += torn;
    }
  }

  static inline std::atomic<std::int64_t> tornReads{0};
  Locks& locks;
  const Plan& plan;
  std::atomic<int>& unfinished;

 private:
  bool start() override { return Runners::instance().offer(*this); }
  void left() override { --unfinished; }
  void run() override {
    compute();
    Runners::instance().finishing();
    locks.leave(*this);
  }
};

}  // namespace

TEST_CASE("many threads: no partially written leaf is read, no write is lost, and all runs end") {
  constexpr int threads = 12, runsEach = 150, leafCount = 6;
  Locks locks;
  std::vector<Leaf> leaves(leafCount);
  std::vector<int> lines(threads);
  std::vector<std::int64_t> expected(leafCount);
  Run::tornReads = 0;

  std::vector<std::vector<Run::Plan>> plans(threads);
  std::mt19937_64 random(1);
  const auto chance = [&](unsigned oneIn) { return random() % oneIn == 0; };
  for (auto& mine : plans) {
    mine.resize(runsEach);
    for (Run::Plan& plan : mine) {
      plan.steps = chance(4) ? 3 : 1;
      for (std::size_t i = 0; i < leaves.size(); ++i) {
        const bool written = chance(4);
        if (written) {
          plan.written.push_back(&leaves[i]);
          plan.writes.push_back(&leaves[i]);
          expected[i] += plan.steps;
        }
        if (chance(2)) {
          plan.read.push_back(&leaves[i]);
          plan.reads.push_back(&leaves[i]);
        }
      }
    }
  }

  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      const auto& mine = plans[static_cast<std::size_t>(t)];
      const void* const line = &lines[static_cast<std::size_t>(t)];
      std::atomic<int> unfinished{0};
      std::vector<std::unique_ptr<Run>> linedUp;
      for (const Run::Plan& plan : mine) {
        auto run = std::make_unique<Run>(locks, plan, line, unfinished);
        if (&plan - mine.data() < runsEach / 2) {
          ++unfinished;
          locks.lineUp(*run);
          linedUp.push_back(std::move(run));
        } else {
          locks.enter(*run);
          run->compute();
          locks.leave(*run);
        }
      }
      while (unfinished > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  }
  for (std::thread& worker : workers) worker.join();

  CHECK(Run::tornReads == 0);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    CHECK(leaves[i].one == expected[i]);
    CHECK(leaves[i].two == expected[i]);
  }
  locks.close();
}

TEST_CASE("more waiting writers than threads do not block the readers that they wait for") {
  // There are more writers than threads. Each writer waits for the only reader, whose request is the last.
  constexpr int writers = Runners::maxThreads + 8;
  Locks locks;
  std::vector<Leaf> leaves(writers);
  std::atomic<int> unfinished{0};
  std::vector<Run::Plan> plans(writers + 1);
  for (int i = 0; i < writers; ++i) {
    Leaf* const leaf = &leaves[static_cast<std::size_t>(i)];
    plans[static_cast<std::size_t>(i)].written = {leaf};
    plans[static_cast<std::size_t>(i)].writes = {leaf};
    plans[static_cast<std::size_t>(i)].steps = 20;
    plans.back().read.push_back(leaf);
    plans.back().reads.push_back(leaf);
  }
  plans.back().steps = 20;
  std::vector<std::unique_ptr<Run>> runs;
  for (int round = 0; round < 20; ++round) {
    for (const Run::Plan& plan : plans) {
      ++unfinished;
      runs.push_back(std::make_unique<Run>(locks, plan, nullptr, unfinished));
      locks.lineUp(*runs.back());
    }
  }
  while (unfinished > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const Leaf& leaf : leaves) CHECK(leaf.one == 20 * 20);
  locks.close();
}

}  // namespace forebay
