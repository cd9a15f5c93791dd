#include "program/locks.h"

#include <functional>
#include <new>

namespace forebay {

namespace {

// Whether two ascending lists have a leaf in common.
bool meet(const LeafSet& a, const LeafSet& b) {
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
  return (a.line != nullptr && a.line == b.line) || meet(a.writes, b.writes);
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
  // In memory that no destructor touches: threads may use it while the process ends.
  alignas(Locks) static unsigned char memory[sizeof(Locks)];
  static Locks* const locks = new (memory) Locks;
  return *locks;
}

// The last request because of which one that waits cannot start; null: it may start.
Locks::Request* Locks::blockerOf(const Request& request) {
  const Claims& wanted = request.claims_;
  // Nobody overtakes one that asked for the same, nor goes to write what one before it waits to read. From
  // the last to the first: in a long line, the one before is it.
  for (Request* other = request.all_.previous; other != nullptr; other = other->all_.previous) {
    ++comparisons_;
    if (excludes(other->claims_, wanted) || meet(other->claims_.reads, wanted.writes)) return other;
  }
  for (Request* other = running_.first; other != nullptr; other = other->all_.next) {
    ++comparisons_;
    if (excludes(other->claims_, wanted)) return other;
    if (other->stage_ == Request::Stage::writing && meet(other->claims_.writes, wanted.reads)) return other;
  }
  return nullptr;
}

bool Locks::readElsewhere(const Request& writer) const {
  for (const Request* other = running_.first; other != nullptr; other = other->all_.next) {
    const bool reads = other->stage_ == Request::Stage::computing && other != &writer;
    if (reads && meet(other->claims_.reads, writer.claims_.writes)) return true;
  }
  return false;
}

bool Locks::writtenElsewhere(const Request& reader) const {
  for (const Request* other = running_.first; other != nullptr; other = other->all_.next) {
    const bool writes = other->stage_ == Request::Stage::writing && other != &reader;
    if (writes && meet(other->claims_.writes, reader.claims_.reads)) return true;
  }
  return false;
}

// Puts one that waits into a list of those that are alike.
void Locks::hold(Request& request, Alike& list) {
  list.add(request);
  request.holder_ = &list;
}

void Locks::release(Request& request) {
  request.holder_->remove(request);
  request.holder_ = nullptr;
}

// What `blocker` keeps from starting is to be looked at again.
void Locks::reconsider(Request& blocker) {
  while (Request* const request = blocker.blocked_.first) {
    release(*request);
    hold(*request, pending_);
  }
}

// Starts one that waits, or finds out what it waits for. False: there was no thread for it.
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
  // One that reads what others wait to write no longer holds them back.
  reconsider(request);
}

template <class Condition>
void Locks::waitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition) {
  if (condition()) return;
  ++blocked_;
  moved_.wait(lock, condition);
  --blocked_;
}

void Locks::moved() {
  if (blocked_ > 0) moved_.notify_all();
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

// Starts, in order, all that may start now, of those that are to be looked at and those for which there was no thread.
void Locks::startWaiting() {
  bool threadsLeft = !closed_;
  for (;;) {
    Request* next = pending_.first;
    Request* const starved = threadsLeft ? starved_.first : nullptr;
    if (next == nullptr || (starved != nullptr && starved->number_ < next->number_)) next = starved;
    if (next == nullptr) break;
    if (!consider(*next, threadsLeft)) threadsLeft = false;
  }
  if (began_) moved();
  began_ = false;
}

void Locks::beforeWrites(Request& request) {
  // Writes of nothing, to leaves without elements: it goes on reading, in its next step too.
  if (request.claims_.writes.count == 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  request.stage_ = Request::Stage::writing;
  moved();  // those who wait for us to stop reading
  waitUntil(lock, [&] { return !readElsewhere(request); });
}

void Locks::nextStep(Request& request) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (request.stage_ != Request::Stage::writing) return;  // it wrote nothing
  // Nobody waits for us meanwhile: we neither read nor write.
  request.stage_ = Request::Stage::none;
  reconsider(request);
  startWaiting();
  moved();  // those between two steps who wait for what we wrote
  waitUntil(lock, [&] { return !writtenElsewhere(request); });
  request.stage_ = Request::Stage::computing;
}

void Locks::leave(Request& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  running_.remove(request);
  request.stage_ = Request::Stage::none;
  reconsider(request);
  if (request.linedUp_) request.left();
  // `request` may be gone from here on.
  startWaiting();
  moved();
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
