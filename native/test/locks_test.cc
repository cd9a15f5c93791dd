// Tests the rules of locks.h one by one. locks_threads_test.cc tests all of them together.
#include "program/locks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "leaf_sets.h"

namespace forebay {

namespace {

struct Kept {
  Kept(Leaves read, Leaves written) : reads(std::move(read)), writes(std::move(written)) {
    for (Leaves* leaves : {&reads, &writes}) std::sort(leaves->begin(), leaves->end());
  }
  Leaves reads, writes;
};

// A request that the test controls. No thread runs it. `started` is true after the locks have started it.
struct ByHand : private Kept, Locks::Request {
  ByHand(Leaves read, Leaves written, const void* line = nullptr)
      : Kept(std::move(read), std::move(written)), Request({setOf(reads), setOf(writes), line}) {}

  bool started = false;
  bool threadLeft = true;
  int lefts = 0;
  std::atomic<bool> hurried{false};

 private:
  bool start() override { return started = threadLeft; }
  void left() override { ++lefts; }
  void hurry() override { hurried = true; }
};

// Sleeps for some time. A thread that must be blocked at this point, but is not, has time to continue.
void giveTime() { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }

}  // namespace

TEST_CASE("a watch expires when a run writes its leaves, after the runs that read them have left") {
  struct Watched final : Watch {
    bool gone = false;
    int expiries = 0;
    bool expired() const override { return gone; }
    void expire() override {
      gone = true;
      ++expiries;
    }
  };
  Locks locks;
  const int a = 0, b = 0;
  const void* const leaves[] = {&a};
  Watched watch, other;
  watch.leaves = {leaves, 1};
  locks.add(other);
  locks.add(watch);
  ByHand reader({&a}, {}), writer({&a}, {&a}), elsewhere({&b}, {&b});
  locks.lineUp(elsewhere);
  locks.beforeWrites(elsewhere);
  CHECK(!watch.gone);
  locks.leave(elsewhere);
  locks.lineUp(reader);
  locks.lineUp(writer);
  std::thread writes([&] { locks.beforeWrites(writer); });
  giveTime();
  // The reader may still compute values from the old leaf. If the watch expired now, they would count as new.
  CHECK(!watch.gone);
  locks.leave(reader);
  writes.join();
  CHECK(watch.expiries == 1);
  locks.nextStep(writer);
  locks.beforeWrites(writer);
  CHECK(watch.expiries == 1);
  watch.gone = false;
  locks.remove(watch);
  locks.nextStep(writer);
  locks.beforeWrites(writer);
  locks.leave(writer);
  CHECK(watch.expiries == 1);
  CHECK(!other.gone);
  locks.remove(other);
}

TEST_CASE("runs that write different leaves, and runs that only read, execute concurrently") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand writesA({&a, &b}, {&a}), writesB({&a, &b}, {&b}), reads({&a, &b}, {});
  for (ByHand* request : {&writesA, &writesB, &reads}) {
    locks.lineUp(*request);
    CHECK(request->started);
  }
  for (ByHand* request : {&writesA, &writesB, &reads}) locks.leave(*request);
  CHECK(writesA.lefts == 1);
}

TEST_CASE("a long queue costs as many comparisons for each run as a short one") {
  Locks locks;
  const int a = 0, b = 0, line = 0;
  const std::size_t runs = 20000;
  std::vector<std::unique_ptr<ByHand>> requests;
  // Runs of two kinds alternate. The first kind writes the leaf that the second kind reads.
  for (std::size_t i = 0; i < runs; ++i) {
    requests.push_back(i % 2 == 0 ? std::make_unique<ByHand>(Leaves{&a}, Leaves{&a}, &line)
                                  : std::make_unique<ByHand>(Leaves{&a}, Leaves{&b}));
    locks.lineUp(*requests.back());
  }
  SUBCASE("that is withdrawn from its end") {
    for (std::size_t i = runs; i-- > 2;) CHECK(locks.withdraw(*requests[i]));
  }
  SUBCASE("that is withdrawn from its beginning") {
    for (std::size_t i = 2; i < runs; ++i) CHECK(locks.withdraw(*requests[i]));
  }
  SUBCASE("that runs to its end") {
    for (std::size_t i = 2; i < runs; ++i) {
      CHECK(!requests[i]->started);
      locks.leave(*requests[i - 2]);
      CHECK(requests[i]->started);
    }
    locks.leave(*requests[runs - 2]);
    locks.leave(*requests[runs - 1]);
  }
  CHECK(locks.comparisons() < 20 * runs);
}

TEST_CASE(
    "a run that found no free thread is tried again when another run leaves, and so are the runs behind it") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand running({}, {&a}), first({}, {&b}), second({}, {});
  locks.lineUp(running);
  first.threadLeft = second.threadLeft = false;
  locks.lineUp(first);
  locks.lineUp(second);
  first.threadLeft = true;
  locks.leave(running);
  CHECK((first.started && !second.started));
  second.threadLeft = true;
  locks.leave(first);
  CHECK(second.started);
  locks.leave(second);
}

TEST_CASE("runs that write a common leaf execute one after another, in the order of their requests") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand first({}, {&a}), second({}, {&a, &b}), third({}, {&b}), other({}, {});
  locks.lineUp(first);
  locks.lineUp(second);
  locks.lineUp(third);  // must wait: no running run uses b, but the earlier `second` writes it
  locks.lineUp(other);
  CHECK((first.started && !second.started && !third.started && other.started));
  locks.leave(first);
  CHECK((second.started && !third.started));
  locks.leave(second);
  CHECK(third.started);
  locks.leave(third);
  locks.leave(other);
}

TEST_CASE("runs of one queue execute one after another even if they use no leaf") {
  Locks locks;
  const int line = 0, otherLine = 0;
  ByHand first({}, {}, &line), second({}, {}, &line), third({}, {}, &otherLine);
  locks.lineUp(first);
  locks.lineUp(second);
  locks.lineUp(third);
  CHECK((first.started && !second.started && third.started));
  locks.leave(first);
  CHECK(second.started);
  locks.leave(second);
  locks.leave(third);
}

TEST_CASE("a write waits for readers, and later readers wait for the write") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand reader({&a}, {}), writer({&a, &b}, {&a}), late({&a}, {}), elsewhere({&b}, {&b});
  locks.lineUp(reader);
  locks.lineUp(writer);
  locks.lineUp(elsewhere);
  CHECK((reader.started && writer.started && elsewhere.started));

  std::atomic<bool> writing{false};
  std::thread thread([&] {
    locks.beforeWrites(writer);
    writing = true;
  });
  giveTime();
  CHECK(!writing);
  locks.lineUp(late);
  CHECK(!late.started);
  locks.beforeWrites(elsewhere);  // does not wait, because the writer has released b, which it only reads
  locks.leave(elsewhere);
  locks.leave(reader);
  thread.join();
  CHECK((writing && !late.started));
  locks.leave(writer);
  CHECK(late.started);
  locks.leave(late);
}

TEST_CASE("a later writer of a leaf waits for an earlier run that reads it") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand writer({}, {&b}), reader({&a, &b}, {}), late({}, {&a});
  locks.lineUp(writer);
  locks.beforeWrites(writer);
  locks.lineUp(reader);
  locks.lineUp(late);
  CHECK((!reader.started && !late.started));
  locks.leave(writer);
  CHECK((reader.started && late.started));
  locks.leave(reader);
  locks.leave(late);
}

TEST_CASE("between its steps a run admits readers, and no other writers") {
  Locks locks;
  const int a = 0;
  ByHand steps({&a}, {&a}), reader({&a}, {}), writer({&a}, {&a});
  locks.lineUp(steps);
  locks.beforeWrites(steps);
  locks.lineUp(reader);
  locks.lineUp(writer);
  CHECK((!reader.started && !writer.started));
  locks.nextStep(steps);
  CHECK((reader.started && !writer.started));
  locks.leave(reader);
  locks.beforeWrites(steps);
  locks.leave(steps);
  CHECK(writer.started);
  locks.leave(writer);
}

TEST_CASE("a step starts only when no other run writes the leaves that it reads") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand steps({&b}, {&a}), writer({&b}, {&b});
  locks.lineUp(steps);
  locks.lineUp(writer);
  locks.beforeWrites(steps);
  locks.beforeWrites(writer);
  std::atomic<bool> computing{false};
  std::thread thread([&] {
    locks.nextStep(steps);
    computing = true;
  });
  giveTime();
  CHECK(!computing);
  locks.leave(writer);
  thread.join();
  CHECK(computing);
  locks.leave(steps);
}

TEST_CASE("a step waits for the write of another run, not for the end of its steps") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand waits({&a, &b}, {&b}), steps({&a}, {&a});
  locks.lineUp(waits);
  locks.lineUp(steps);
  locks.beforeWrites(waits);
  locks.beforeWrites(steps);
  std::atomic<bool> computing{false};
  std::thread thread([&] {
    locks.nextStep(waits);
    computing = true;
  });
  giveTime();
  CHECK(!computing);
  locks.nextStep(steps);
  for (int times = 0; times < 100 && !computing; ++times) giveTime();
  CHECK(computing);
  locks.leave(steps);
  thread.join();
  locks.leave(waits);
}

TEST_CASE("a run that writes nothing keeps its read locks between its steps") {
  Locks locks;
  const int a = 0;
  ByHand reads({&a}, {}), writer({}, {&a});
  locks.lineUp(reads);
  locks.beforeWrites(reads);
  locks.lineUp(writer);
  std::atomic<bool> writes{false};
  std::thread thread([&] {
    locks.beforeWrites(writer);
    writes = true;
  });
  giveTime();
  CHECK(!writes);
  locks.leave(reads);
  thread.join();
  CHECK(writes);
  locks.leave(writer);
}

TEST_CASE("a withdrawn request no longer blocks later ones, and a started one cannot be withdrawn") {
  Locks locks;
  const int a = 0, b = 0;
  ByHand first({}, {&a}), second({}, {&a, &b}), third({}, {&b});
  for (ByHand* request : {&first, &second, &third}) locks.lineUp(*request);
  CHECK(!third.started);
  CHECK(locks.withdraw(second));
  CHECK(third.started);
  CHECK(!locks.withdraw(first));
  CHECK(second.lefts == 0);
  locks.leave(first);
  CHECK(!second.started);
  locks.leave(third);
}

TEST_CASE("a request that finds no thread is started later, in its turn") {
  Locks locks;
  const int a = 0;
  ByHand first({}, {}), second({}, {&a}), third({}, {});
  locks.lineUp(first);
  second.threadLeft = false;
  locks.lineUp(second);
  CHECK(!second.started);
  second.threadLeft = true;
  locks.leave(first);
  CHECK(second.started);
  locks.lineUp(third);
  locks.leave(second);
  locks.leave(third);
}

TEST_CASE("a caller that enters waits for its turn") {
  Locks locks;
  const int a = 0;
  ByHand first({}, {&a}), second({}, {&a});
  locks.enter(first);
  std::atomic<bool> entered{false};
  std::thread thread([&] {
    locks.enter(second);
    entered = true;
    locks.leave(second);
  });
  giveTime();
  CHECK(!entered);
  locks.leave(first);
  thread.join();
  CHECK((entered && second.lefts == 0));  // left() is called only for requests that were made by lineUp()
}

TEST_CASE("closing hurries running requests, waits for them, and starts no others") {
  Locks locks;
  const int a = 0;
  ByHand first({}, {&a}), second({}, {&a}), third({}, {});
  locks.lineUp(first);
  locks.lineUp(second);
  std::thread thread([&] {
    for (int i = 0; i < 300 && !first.hurried; ++i) giveTime();
    giveTime();
    locks.leave(first);
  });
  locks.close();
  CHECK((first.hurried && first.lefts == 1));
  thread.join();
  locks.lineUp(third);
  CHECK((!second.started && !third.started));
  CHECK((locks.withdraw(second) && locks.withdraw(third)));
}

}  // namespace forebay
