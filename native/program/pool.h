// The threads on which forebay computes. The process has one pool. The threads of the pool sleep if there is
// no work.
#pragma once

namespace forebay {

class Pool {
 public:
  // Returns the pool of the process. It is never destroyed. Its idle threads sleep until the process ends.
  static Pool& instance();

  // The largest number of threads that a run may use, which includes the calling thread. It is at least 1 and
  // at most maxThreads. The initial value is processors().
  void setThreads(int threads);
  int threads() const;
  static constexpr int maxThreads = 64;

  // Calls body(context, index, slot) for every index < count, on up to min(threads, threads()) threads, the
  // calling thread included. Returns when all calls are done. All writes of these calls are then visible to
  // the caller.
  //
  // `slot` < min(threads, threads()) selects the scratch of a thread. No two calls of one run have the same
  // slot at the same time. The slot of the calling thread is 0.
  //
  // Threads take indices in order. It is not defined which thread takes which index. The function allocates
  // memory only if it must start threads. The calling thread does all calls itself (with slot 0) if it is
  // already in a call of a `body`, or if the pool is busy with the run of another caller.
  void run(int threads, int count, void (*body)(void* context, int index, int slot), void* context) noexcept;

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

 private:
  Pool();
  ~Pool() = delete;

  struct State;
  State* state_;
};

}  // namespace forebay
