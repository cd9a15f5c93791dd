#include "program/runners.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <new>

#include "program/library.h"
#include "program/processors.h"

namespace forebay {

Runners::Runners() : limit_(std::clamp<int>(processors(), leastThreads, maxThreads)) {}

Runners& Runners::instance() {
  alignas(Runners) static unsigned char memory[sizeof(Runners)];
  static Runners* const runners = new (memory) Runners;
  return *runners;
}

bool Runners::startThread() {
  if (threads_ == limit_) return false;
  if (threads_ == 0) keepLibraryLoaded();
  // The new thread blocks all signals, so that other threads handle signals.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, main, this) == 0;
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return false;
  ++threads_;
  ++free_;
  return true;
}

bool Runners::prepare() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return threads_ > 0 || startThread();
}

bool Runners::offer(Job& job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_ == 0 && !startThread()) return false;
    --free_;
    job.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &job;
    last_ = &job;
  }
  wake_.notify_one();
  return true;
}

void Runners::finishing() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++free_;
}

void Runners::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return first_ != nullptr; });
    Job* const job = first_;
    first_ = job->next_;
    if (first_ == nullptr) last_ = nullptr;
    lock.unlock();
    job->run();
    lock.lock();
  }
}

void* Runners::main(void* self) {
  static_cast<Runners*>(self)->work();
  return nullptr;
}

}  // namespace forebay
