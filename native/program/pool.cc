#include "program/pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>

#include "program/library.h"
#include "program/processors.h"

namespace forebay {

namespace {

// The time that a thread without work spins before it sleeps. A program often has work for only one thread
// for about this time, and then work for several threads again. On a virtual machine, a sleeping thread
// needs hundreds of microseconds to wake up. Most work is done before that. Waking it costs the caller a
// tenth of that time.
constexpr std::chrono::microseconds patience(500);

// True while this thread calls a body, the function that Pool::run receives. If a body calls Pool::run
// itself, this inner call must not wait for the pool, because the pool waits for the body. The TLS model is
// set because glibc, by default, allocates the thread-local data of a loaded library on first use and ends
// the process if there is no memory. With the initial-exec model, this byte is allocated when a thread
// starts.
#if defined(__GLIBC__)
[[gnu::tls_model("initial-exec")]]
#endif
thread_local bool insideBody = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Spins until `condition` returns true, for at most `patience`. Returns false if the time is over.
template <class Condition>
bool spinUntil(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    for (int i = 0; i < 8; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

struct Pool::State {
  std::atomic<int> limit{1};
  std::atomic<bool> busy{false};  // true from the start of a shared run to its end

  std::mutex mutex;
  std::condition_variable work, done;
  int started = 0;  // the number of threads that exist

  // The members below describe the current run. The mutex protects all of them except the atomics.
  void (*body)(void*, int, int) = nullptr;
  void* context = nullptr;
  std::int64_t count = 0;
  int nextSlot = 0;
  std::atomic<int> wanted{0};  // the number of threads that may still join
  std::atomic<int> active{0};  // the number of threads that have joined and not left
  std::atomic<std::int64_t> next{0};

  // Takes one index after another and calls the body with it, until no index is left.
  void takeIndices(void (*const run)(void*, int, int), void* const with, const std::int64_t end,
                   const int slot) {
    for (;;) {
      const std::int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= end) return;
      run(with, static_cast<int>(index), slot);
    }
  }

  void help() {
    insideBody = true;
    for (;;) {
      spinUntil([this] { return wanted.load(std::memory_order_relaxed) > 0; });
      std::unique_lock<std::mutex> lock(mutex);
      work.wait(lock, [this] { return wanted.load(std::memory_order_relaxed) > 0; });
      wanted.fetch_sub(1, std::memory_order_relaxed);
      active.fetch_add(1, std::memory_order_relaxed);
      const int slot = nextSlot++;
      const auto run = body;
      void* const with = context;
      const std::int64_t end = count;
      lock.unlock();
      takeIndices(run, with, end, slot);
      lock.lock();
      if (active.fetch_sub(1, std::memory_order_release) == 1) {
        // The mutex is locked during this call, because the caller may be between its check and its wait.
        done.notify_one();
      }
    }
  }

  static void* main(void* state) {
    static_cast<State*>(state)->help();
    return nullptr;
  }

  // Starts threads until `helpers` threads exist. If the system refuses to start more, the run has fewer
  // threads.
  void start(int helpers) {
    if (started >= helpers) return;
    if (started == 0) keepLibraryLoaded();
    // The new threads block all signals, so that other threads handle signals.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    while (started < helpers && pthread_create(&thread, &attributes, main, this) == 0) ++started;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void share(int helpers, int runCount, void (*runBody)(void*, int, int), void* runContext) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      start(helpers);
      body = runBody;
      context = runContext;
      count = runCount;
      nextSlot = 1;
      next.store(0, std::memory_order_relaxed);
      helpers = std::min(helpers, started);
      wanted.store(helpers, std::memory_order_relaxed);
    }
    for (int i = 0; i < helpers; ++i) work.notify_one();
    takeIndices(runBody, runContext, runCount, 0);
    // Waits only for threads that have joined: from now on, no thread can join.
    std::unique_lock<std::mutex> lock(mutex);
    wanted.store(0, std::memory_order_relaxed);
    if (active.load(std::memory_order_relaxed) == 0) return;
    lock.unlock();
    spinUntil([this] { return active.load(std::memory_order_relaxed) == 0; });
    lock.lock();
    done.wait(lock, [this] { return active.load(std::memory_order_relaxed) == 0; });
  }
};

Pool::Pool() {
  // The state is never destroyed, because threads may use it while the process ends.
  alignas(State) static unsigned char memory[sizeof(State)];
  state_ = new (memory) State;
  setThreads(processors());
  // After fork, the child process has none of these threads, so its pool gets a new state.
  pthread_atfork([] { instance().state_->mutex.lock(); }, [] { instance().state_->mutex.unlock(); },
                 [] {
                   const int limit = instance().threads();
                   new (instance().state_) State;
                   instance().setThreads(limit);
                 });
}

Pool& Pool::instance() {
  alignas(Pool) static unsigned char memory[sizeof(Pool)];
  static Pool* const pool = new (memory) Pool;
  return *pool;
}

void Pool::setThreads(int threads) {
  state_->limit.store(std::clamp(threads, 1, maxThreads), std::memory_order_relaxed);
}

int Pool::threads() const { return state_->limit.load(std::memory_order_relaxed); }

void Pool::run(int threads, int count, void (*body)(void*, int, int), void* context) noexcept {
  const int helpers = std::min({threads, this->threads(), count}) - 1;
  const bool shared = helpers > 0 && !insideBody && !state_->busy.exchange(true, std::memory_order_acquire);
  const bool nested = insideBody;
  insideBody = true;
  if (shared) {
    state_->share(helpers, count, body, context);
    state_->busy.store(false, std::memory_order_release);
  } else {
    for (int index = 0; index < count; ++index) body(context, index, 0);
  }
  insideBody = nested;
}

}  // namespace forebay
