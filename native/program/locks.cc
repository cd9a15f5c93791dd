#include "program/locks.h"

#include <functional>
#include <new>

namespace forebay {

namespace {

// Returns true if two sets have a leaf in common.
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

template <Locks::Request::Links Locks::Request::*links>
void Locks::Request::List<links>::add(Request& request) {
  Request* before = last;
  while (before != nullptr && before->number_ > request.number_) before = (before->*links).previous;
  Request* const after = before != nullptr ? (before->*links).next : first;
  (request.*links).previous = before;
  (request.*links).next = after;
  (before != nullptr ? (before->*links).next : first) = &request;
  (after != nullptr ? (after->*links).previous : last) = &request;
}

template <Locks::Request::Links Locks::Request::*links>
void Locks::Request::List<links>::remove(Request& request) {
  Links& own = request.*links;
  (own.previous != nullptr ? (own.previous->*links).next : first) = own.next;
  (own.next != nullptr ? (own.next->*links).previous : last) = own.previous;
  own = Links();
}

Locks& Locks::instance() {
  // The object is never destroyed, because threads may use it while the process ends.
  alignas(Locks) static unsigned char memory[sizeof(Locks)];
  static Locks* const locks = new (memory) Locks;
  return *locks;
}

// Returns the blocker of a waiting request, or null if the request may start.
Locks::Request* Locks::blockerOf(const Request& request) {
  const Claims& wanted = request.claims_;
  // A request does not overtake an earlier waiting request if both have the same line or write a common leaf,
  // or if the earlier request reads a leaf that the later one writes. The loop begins at the request directly
  // before this one, because in a long queue that request is usually the blocker.
  for (Request* other = request.all_.previous; other != nullptr; other = other->all_.previous) {
    ++comparisons_;
    if (excludes(other->claims_, wanted) || intersect(other->claims_.reads, wanted.writes)) return other;
  }
  for (Request* other = running_.first; other != nullptr; other = other->all_.next) {
    ++comparisons_;
    if (excludes(other->claims_, wanted)) return other;
    if (other->stage_ == Request::Stage::writing && intersect(other->claims_.writes, wanted.reads))
      return other;
  }
  return nullptr;
}

bool Locks::readElsewhere(const Request& writer) const {
  for (const Request* other = running_.first; other != nullptr; other = other->all_.next) {
    const bool reads = other->stage_ == Request::Stage::computing && other != &writer;
    if (reads && intersect(other->claims_.reads, writer.claims_.writes)) return true;
  }
  return false;
}

bool Locks::writtenElsewhere(const Request& reader) const {
  for (const Request* other = running_.first; other != nullptr; other = other->all_.next) {
    const bool writes = other->stage_ == Request::Stage::writing && other != &reader;
    if (writes && intersect(other->claims_.writes, reader.claims_.reads)) return true;
  }
  return false;
}

// Adds a waiting request to a list and records the list in it.
void Locks::hold(Request& request, Alike& list) {
  list.add(request);
  request.holder_ = &list;
}

void Locks::release(Request& request) {
  request.holder_->remove(request);
  request.holder_ = nullptr;
}

// Moves all requests that `blocker` blocks to pending_, so that they are checked again.
void Locks::reconsider(Request& blocker) {
  while (Request* const request = blocker.blocked_.first) {
    release(*request);
    hold(*request, pending_);
  }
}

// Starts a waiting request, or adds it to the list of its blocker. If the request may start but no thread is
// free, adds it to starved_ and returns false.
bool Locks::consider(Request& request, bool threadsLeft) {
  release(request);
  Request* const blocker = blockerOf(request);
  if (blocker != nullptr) {
    hold(request, blocker->blocked_);
  } else if (request.linedUp_ && (!threadsLeft || !request.start())) {
    hold(request, starved_);
    return false;
  } else {
    begin(request);
  }
  return true;
}

void Locks::begin(Request& request) {
  waiting_.remove(request);
  request.stage_ = Request::Stage::computing;
  running_.add(request);
  began_ = true;
  // Requests that this one blocked are checked again. The reason: a waiting request blocks later requests
  // that write a leaf that it reads, but a running request does not block requests because of what it reads.
  reconsider(request);
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

void Locks::ask(Request& request, bool linedUp) {
  request.linedUp_ = linedUp;
  request.number_ = ++asked_;
  request.stage_ = Request::Stage::waiting;
  waiting_.add(request);
  hold(request, pending_);
  startWaiting();
}

void Locks::enter(Request& request) {
  std::unique_lock<std::mutex> lock(mutex_);
  ask(request, false);
  waitUntil(lock, [&] { return request.stage_ != Request::Stage::waiting; });
}

void Locks::lineUp(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ask(request, true);
}

bool Locks::withdraw(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (request.stage_ != Request::Stage::waiting) return false;
  release(request);
  waiting_.remove(request);
  request.stage_ = Request::Stage::none;
  reconsider(request);
  startWaiting();
  return true;
}

// Starts all requests in pending_ and starved_ that may start now, in the order of their numbers.
void Locks::startWaiting() {
  bool threadsLeft = !closed_;
  for (;;) {
    Request* next = pending_.first;
    Request* const starved = threadsLeft ? starved_.first : nullptr;
    if (next == nullptr || (starved != nullptr && starved->number_ < next->number_)) next = starved;
    if (next == nullptr) break;
    if (!consider(*next, threadsLeft)) threadsLeft = false;
  }
  if (began_) notify();
  began_ = false;
}

void Locks::beforeWrites(Request& request) {
  // If no writes are claimed (no written leaf has elements), the run only reads in every step.
  if (request.claims_.writes.count == 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  request.stage_ = Request::Stage::writing;
  notify();  // wakes runs that wait until this run stops reading
  waitUntil(lock, [&] { return !readElsewhere(request); });
  // Not earlier: a run that this one waited for may have read the old values after its watch had expired.
  expireWatches(request);
}

void Locks::expireWatches(const Request& writer) {
  for (Watch* watch = watches_; watch != nullptr; watch = watch->next_) {
    if (!watch->expired() && intersect(watch->leaves, writer.claims_.writes)) watch->expire();
  }
}

void Locks::add(Watch& watch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watch.next_ = watches_;
  if (watches_ != nullptr) watches_->previous_ = &watch;
  watches_ = &watch;
}

void Locks::remove(Watch& watch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  (watch.previous_ != nullptr ? watch.previous_->next_ : watches_) = watch.next_;
  if (watch.next_ != nullptr) watch.next_->previous_ = watch.previous_;
}

void Locks::nextStep(Request& request) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (request.stage_ != Request::Stage::writing) return;  // this run wrote no leaf in its last step
  // While this run waits, it neither reads nor writes. So no running run waits for it.
  request.stage_ = Request::Stage::none;
  reconsider(request);
  startWaiting();
  notify();  // wakes runs that wait below, in nextStep(), to read what this run wrote
  waitUntil(lock, [&] { return !writtenElsewhere(request); });
  request.stage_ = Request::Stage::computing;
}

void Locks::leave(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  running_.remove(request);
  request.stage_ = Request::Stage::none;
  reconsider(request);
  if (request.linedUp_) request.left();
  // From here on `request` may be destroyed.
  startWaiting();
  notify();
}

void Locks::close() {
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  const auto idle = [&] {
    for (const Request* request = running_.first; request != nullptr; request = request->all_.next) {
      if (request->linedUp_) return false;
    }
    return true;
  };
  for (Request* request = running_.first; request != nullptr; request = request->all_.next) {
    if (request->linedUp_) request->hurry();
  }
  waitUntil(lock, idle);
}

}  // namespace forebay
