#include "program/locks.h"

#include <functional>
#include <new>

namespace forebay {

namespace {

// True if two sets have a leaf in common.
bool intersect(const LeafSet& a, const LeafSet& b) {
  const void* const* p = a.leaves;
  const void* const* q = b.leaves;
  const void* const* const pEnd = p + a.count;
  const void* const* const qEnd = q + b.count;
  while (p != pEnd && q != qEnd) {
    if (*p == *q) return true;
    if (std::less<const void*>()(*p, *q)) {
      ++p;
    } else {
      ++q;
    }
  }
  return false;
}

bool excludes(const Claims& a, const Claims& b) {
  return (a.line != nullptr && a.line == b.line) || intersect(a.writes, b.writes);
}

}  // namespace

void Locks::List::add(Request& request) {
  request.previous_ = last;
  request.next_ = nullptr;
  (last != nullptr ? last->next_ : first) = &request;
  last = &request;
}

void Locks::List::remove(Request& request) {
  (request.previous_ != nullptr ? request.previous_->next_ : first) = request.next_;
  (request.next_ != nullptr ? request.next_->previous_ : last) = request.previous_;
  request.previous_ = request.next_ = nullptr;
}

Locks& Locks::instance() {
  // Never destroyed, because threads may use it while the process ends.
  alignas(Locks) static unsigned char memory[sizeof(Locks)];
  static Locks* const locks = new (memory) Locks;
  return *locks;
}

bool Locks::mayStart(const Request& request) const {
  const Claims& wanted = request.claims_;
  for (const Request* other = running_.first; other != nullptr; other = other->next_) {
    if (excludes(other->claims_, wanted)) return false;
    if (other->stage_ == Request::Stage::writing && intersect(other->claims_.writes, wanted.reads))
      return false;
  }
  // A request does not overtake an earlier one with the same line or a common written leaf. It also does not
  // overtake an earlier request that waits to read a leaf that it writes.
  for (const Request* other = waiting_.first; other != nullptr && other != &request; other = other->next_) {
    if (excludes(other->claims_, wanted) || intersect(other->claims_.reads, wanted.writes)) return false;
  }
  return true;
}

bool Locks::readElsewhere(const Request& writer) const {
  for (const Request* other = running_.first; other != nullptr; other = other->next_) {
    const bool reads = other->stage_ == Request::Stage::computing && other != &writer;
    if (reads && intersect(other->claims_.reads, writer.claims_.writes)) return true;
  }
  return false;
}

bool Locks::writtenElsewhere(const Request& reader) const {
  for (const Request* other = running_.first; other != nullptr; other = other->next_) {
    const bool writes = other->stage_ == Request::Stage::writing && other != &reader;
    if (writes && intersect(other->claims_.writes, reader.claims_.reads)) return true;
  }
  return false;
}

void Locks::begin(Request& request) {
  if (request.stage_ == Request::Stage::waiting) waiting_.remove(request);
  request.stage_ = Request::Stage::computing;
  running_.add(request);
}

template <class Condition>
void Locks::waitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition) {
  if (condition()) return;
  ++blocked_;
  changed_.wait(lock, condition);
  --blocked_;
}

void Locks::notify() {
  if (blocked_ > 0) changed_.notify_all();
}

void Locks::enter(Request& request) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (mayStart(request)) return begin(request);
  request.stage_ = Request::Stage::waiting;
  waiting_.add(request);
  waitUntil(lock, [&] { return request.stage_ != Request::Stage::waiting; });
}

void Locks::lineUp(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  request.linedUp_ = true;
  if (!closed_ && mayStart(request) && request.start()) return begin(request);
  request.stage_ = Request::Stage::waiting;
  waiting_.add(request);
}

bool Locks::withdraw(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (request.stage_ != Request::Stage::waiting) return false;
  waiting_.remove(request);
  request.stage_ = Request::Stage::none;
  startWaiting();
  return true;
}

// Starts all requests that may start now, in order.
void Locks::startWaiting() {
  bool threadsLeft = !closed_;
  bool began = false;
  Request* next = nullptr;
  for (Request* request = waiting_.first; request != nullptr; request = next) {
    next = request->next_;
    if (request->linedUp_ && !threadsLeft) continue;
    if (!mayStart(*request)) continue;
    if (request->linedUp_ && !request->start()) {
      threadsLeft = false;
      continue;
    }
    begin(*request);
    began = true;
  }
  if (began) notify();
}

void Locks::beforeWrites(Request& request) {
  // Without claimed writes (all written leaves have no elements), the run remains a reader in every step.
  if (request.claims_.writes.count == 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  request.stage_ = Request::Stage::writing;
  notify();  // runs that wait until this run stops reading
  waitUntil(lock, [&] { return !readElsewhere(request); });
}

void Locks::nextStep(Request& request) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (request.stage_ != Request::Stage::writing) return;  // it did not write
  // While this run waits, it neither reads nor writes, so no other run waits for it.
  request.stage_ = Request::Stage::none;
  startWaiting();
  notify();  // runs between two steps that wait to read what this run wrote
  waitUntil(lock, [&] { return !writtenElsewhere(request); });
  request.stage_ = Request::Stage::computing;
}

void Locks::leave(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  running_.remove(request);
  request.stage_ = Request::Stage::none;
  if (request.linedUp_) request.left();
  // From here on `request` may be destroyed.
  startWaiting();
  notify();
}

void Locks::close() {
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  const auto idle = [&] {
    for (const Request* request = running_.first; request != nullptr; request = request->next_) {
      if (request->linedUp_) return false;
    }
    return true;
  };
  for (Request* request = running_.first; request != nullptr; request = request->next_) {
    if (request->linedUp_) request->hurry();
  }
  waitUntil(lock, idle);
}

}  // namespace forebay
