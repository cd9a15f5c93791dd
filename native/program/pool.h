// The threads that forebay computes on, one set for the process. They sleep when there is nothing to do.
#pragma once

namespace forebay {

class Pool {
 public:
  // Never destroyed before the process's last thread: idle threads sleep until the process is gone.
  static Pool& instance();

  // How many threads a run may use at most, the calling one included; at least 1, at most maxThreads.
  // At first: as many as processors() says.
  void setThreads(int threads);
  int threads() const;
  static constexpr int maxThreads = 64;

  // Runs body(context, index, slot) for every index < count, on up to `threads` threads (never more than
  // threads()), the caller among them; returns when all are done. What a body wrote is seen by the caller.
  //
  // `slot` < min(threads, threads()) says which thread's scratch is to be used: no two bodies of one run
  // have the same slot at the same time. The caller's is 0.
  //
  // Indices are taken in order, but which thread takes which is chance. Nothing is allocated, unless
  // threads have to be started first. A run from inside a body, and a run that finds the pool
  // busy with another caller's, is done by the calling thread alone (slot 0).
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
