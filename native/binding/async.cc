#include "binding/async.h"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>

#include "binding/program.h"
#include "program/runners.h"

namespace forebay {

namespace {

class Ticket;

// The index of the first feed or output among the arguments of startProgram.
constexpr std::size_t firstArray = 6;

// The desk of an environment (the main thread or a worker) manages the asynchronous runs of the environment.
// Each call of startProgram has a Ticket.
class Desk {
 public:
  explicit Desk(napi_env env) : env_(env) {}
  ~Desk() = default;
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // Call these functions on the thread of the environment. open() must succeed before the first add().
  bool open(Call& call);
  double add(Ticket* ticket);  // starts the runs of the ticket; returns its number
  Ticket* find(double number);
  void finish(Ticket* ticket);

  // Called on any thread, when the runs of the ticket have ended. From this call on, only the thread of the
  // environment uses the ticket.
  void deliver(Ticket* ticket);

  // Called when the environment ends. Deletes the desk, at once or, if calls are queued, when the last of
  // them has arrived.
  static void release(Desk* desk);

 private:
  static void callJs(napi_env env, napi_value, void* desk, void* ticket);
  static void close(void* desk);

  const napi_env env_;
  napi_threadsafe_function done_ = nullptr;
  Ticket* first_ = nullptr;  // a list, in descending order of the numbers
  Ticket* found_ = nullptr;  // the ticket that find() returned last
  double lastNumber_ = 0;

  std::mutex mutex_;
  std::condition_variable idle_;
  int unfinished_ = 0;  // the number of tickets that were added and not yet delivered
  int queued_ = 0;      // the number of tickets delivered but not yet received by callJs()
  bool closing_ = false;
  bool released_ = false;
};

// A ticket exists for each call of startProgram, from the call until its `done` callback.
class Ticket final : public Locks::Request, private Runners::Job {
 public:
  static std::unique_ptr<Ticket> create(Call& call, Desk& desk, Kept<Compiled> compiled, double steps);
  ~Ticket() override = default;

  // Reads the arguments, and keeps the callback and the memory alive.
  bool read(Call& call);
  // If startProgram was called with an index of the first run, later runs of the queue count from this index,
  // even if this run never starts.
  void countFrom() {
    if (firstRun_ >= 0) compiled_->queue().next = static_cast<std::uint64_t>(firstRun_);
  }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  // Calls done(status, steps, run, …). The ticket is deleted before the callback runs.
  static void report(Ticket* ticket);

  // These members are managed by the desk.
  double number = 0;
  Ticket* previous = nullptr;
  Ticket* next = nullptr;

 private:
  Ticket(napi_env env, Desk& desk, Kept<Compiled> compiled, double steps)
      : Request(compiled->claims()), env_(env), desk_(desk), compiled_(std::move(compiled)), steps_(steps) {}

  bool start() override { return Runners::instance().offer(*this); }
  void left() override { desk_.deliver(this); }
  void hurry() override { cancel(); }
  void run() override;
  void runSteps();
  static bool beforeWrites(void* ticket);

  const napi_env env_;
  Desk& desk_;
  const Kept<Compiled> compiled_;  // only the thread of the environment copies or deletes it
  const double steps_;
  double firstRun_ = 0;
  int threads_ = 1;
  bool checkFinite_ = false;
  double stepsDone_ = 0;
  std::uint64_t lastRun_ = 0;
  double status_ = runCancelled;
  RunFailure failure_;
  std::unique_ptr<void*[]> addresses_;
  std::atomic<bool> cancelled_{false};
  Reference done_, memory_;
};

std::unique_ptr<Ticket> Ticket::create(Call& call, Desk& desk, Kept<Compiled> compiled, double steps) {
  const Program& program = compiled->program();
  const std::size_t count = program.feedCount() + program.outputCount();
  std::unique_ptr<Ticket> ticket(new (std::nothrow) Ticket(call.env(), desk, std::move(compiled), steps));
  if (ticket) ticket->addresses_.reset(new (std::nothrow) void*[count]());
  if (ticket && ticket->addresses_) return ticket;
  call.fault().memory("startProgram: there is no memory left");
  return nullptr;
}

bool Ticket::read(Call& call) {
  double wantedThreads = 0;
  if (!call.integer(1, "the run", -1, firstRun_) || !call.integer(3, "the threads", 0, wantedThreads) ||
      !call.flag(4, "checkFinite", checkFinite_) ||
      !compiled_->readMemory(call, firstArray, steps_, true, addresses_.get())) {
    return false;
  }
  threads_ = threadsOf(wantedThreads);
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env_, call[5], &type) != napi_ok || type != napi_function) {
    return call.fault().argument("startProgram: argument 5 is not a function");
  }
  return (done_.keep(env_, call[5]) || call.fault().memory("startProgram: there is no memory left")) &&
         call.keep(call.from(firstArray), call.count() - firstArray, memory_);
}

void Ticket::run() {
  runSteps();
  Runners::instance().finishing();
  Locks::instance().leave(*this);
}

void Ticket::runSteps() {
  Program& program = compiled_->program();
  Queue& queue = compiled_->queue();
  const bool writes = compiled_->claims().writes.count > 0;
  const std::size_t feeds = program.feedCount(), outputs = program.outputCount();
  RunArguments arguments;
  arguments.feeds = addresses_.get();
  arguments.outputs = addresses_.get() + feeds;
  arguments.threads = threads_;
  arguments.checkFinite = checkFinite_;
  arguments.cancelled = &cancelled_;
  arguments.beforeWrites = beforeWrites;
  arguments.context = this;
  for (;;) {
    if (cancelled_.load(std::memory_order_relaxed)) return;  // status_ is runCancelled initially
    lastRun_ = arguments.run = queue.next;
    const RunResult result = program.run(arguments, failure_);
    if (result != RunResult::done) {
      status_ = statusOf(result, failure_);
      return;
    }
    ++queue.next;
    if (++stepsDone_ == steps_) break;
    for (std::size_t i = 0; i < feeds; ++i) {
      addresses_[i] = static_cast<char*>(addresses_[i]) + program.feedBytes(i);
    }
    for (std::size_t i = 0; i < outputs; ++i) {
      const std::size_t bytes = program.outputLength(i) * sizeOf(program.outputType(i));
      addresses_[feeds + i] = static_cast<char*>(addresses_[feeds + i]) + bytes;
    }
    if (writes) Locks::instance().nextStep(*this);
  }
  status_ = runDone;
}

bool Ticket::beforeWrites(void* self) {
  Ticket& ticket = *static_cast<Ticket*>(self);
  Locks::instance().beforeWrites(ticket);
  // `cancelled_` is checked again, because the wait may have been long. After this check, the run cannot be
  // cancelled.
  return !ticket.cancelled_.load(std::memory_order_relaxed);
}

void Ticket::report(Ticket* ticket) {
  const napi_env env = ticket->env_;
  constexpr std::size_t most = 3 + failureNumbers + maxLoopDepth;
  napi_value arguments[most], receiver = nullptr;
  napi_value const done = ticket->done_.value();
  double numbers[most] = {ticket->status_, ticket->stepsDone_, static_cast<double>(ticket->lastRun_)};
  std::size_t count = 3;
  if (ticket->status_ == runOutOfRange) {
    writeFailure(ticket->failure_, numbers + count);
    count += failureNumbers;
  }
  if (ticket->status_ == runOutOfRange || ticket->status_ >= 0) {
    count += writeIterations(ticket->failure_, numbers + count);
  }
  bool fine = napi_get_undefined(env, &receiver) == napi_ok && done != nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    fine = fine && napi_create_double(env, numbers[i], &arguments[i]) == napi_ok;
  }
  delete ticket;
  // If the callback throws, the exception stays pending, and Node treats it as an uncaught exception.
  if (fine) napi_call_function(env, receiver, done, count, arguments, nullptr);
}

// ---- The desk.

// Only the first run opens the desk, so that an environment without runs has no handle on its event loop.
bool Desk::open(Call& call) {
  if (done_ != nullptr) return true;
  if (!Runners::instance().prepare()) {
    return call.fault().memory("startProgram: the system has no thread left to run on");
  }
  napi_value name = nullptr;
  const bool made = napi_create_string_utf8(env_, "forebay", NAPI_AUTO_LENGTH, &name) == napi_ok &&
                    napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                    this, callJs, &done_) == napi_ok;
  // Cleanup hooks run in reverse order. So `close` runs before the hook that closes the thread-safe function.
  if (made && napi_add_env_cleanup_hook(env_, close, this) == napi_ok) {
    // unref, because only a run in flight must keep the process alive. add() calls ref.
    napi_unref_threadsafe_function(env_, done_);
    return true;
  }
  if (made) napi_release_threadsafe_function(done_, napi_tsfn_abort);
  done_ = nullptr;
  return call.fault().memory("startProgram: there is no memory left");
}

double Desk::add(Ticket* ticket) {
  if (first_ == nullptr) napi_ref_threadsafe_function(env_, done_);
  const double number = ticket->number = ++lastNumber_;
  ticket->countFrom();
  ticket->next = first_;
  if (first_ != nullptr) first_->previous = ticket;
  first_ = ticket;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++unfinished_;
  }
  Locks::instance().lineUp(*ticket);
  return number;
}

// Starts at the ticket that was found last, because a signal that aborts many runs cancels them in their
// order.
Ticket* Desk::find(double number) {
  Ticket* ticket = found_ != nullptr ? found_ : first_;
  while (ticket != nullptr && ticket->number > number) ticket = ticket->next;
  while (ticket != nullptr && ticket->number < number) ticket = ticket->previous;
  if (ticket == nullptr || ticket->number != number) return nullptr;
  found_ = ticket;
  return ticket;
}

void Desk::finish(Ticket* ticket) {
  if (ticket == found_) found_ = ticket->next;
  if (ticket->next != nullptr) ticket->next->previous = ticket->previous;
  (ticket->previous != nullptr ? ticket->previous->next : first_) = ticket->next;
  if (first_ == nullptr) napi_unref_threadsafe_function(env_, done_);
}

void Desk::deliver(Ticket* ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --unfinished_;
  if (closing_) {
    idle_.notify_all();
  } else if (napi_call_threadsafe_function(done_, ticket, napi_tsfn_nonblocking) == napi_ok) {
    ++queued_;
  }
}

// A call that is queued when the environment ends still arrives. In Node, its `env` is then null. In Bun,
// `env` is not null, but the call arrives after close() has deleted the ticket. So this function also checks
// whether the desk is closed.
void Desk::callJs(napi_env env, napi_value, void* self, void* ticket) {
  Desk& desk = *static_cast<Desk*>(self);
  bool closed = false, last = false;
  {
    const std::lock_guard<std::mutex> lock(desk.mutex_);
    closed = desk.closing_;
    last = --desk.queued_ == 0 && desk.released_;
  }
  if (last) delete &desk;
  if (closed || env == nullptr) return;
  desk.finish(static_cast<Ticket*>(ticket));
  Ticket::report(static_cast<Ticket*>(ticket));
}

void Desk::release(Desk* desk) {
  bool last = false;
  {
    const std::lock_guard<std::mutex> lock(desk->mutex_);
    desk->closing_ = desk->released_ = true;
    last = desk->queued_ == 0;
  }
  if (last) delete desk;
}

// Called when the environment ends, for example when a worker is terminated. Cancels all runs and waits until
// they have ended. After that, no thread uses anything of the environment.
void Desk::close(void* self) {
  Desk& desk = *static_cast<Desk*>(self);
  {
    const std::lock_guard<std::mutex> lock(desk.mutex_);
    desk.closing_ = true;
  }
  for (Ticket* ticket = desk.first_; ticket != nullptr; ticket = ticket->next) {
    ticket->cancel();
    if (Locks::instance().withdraw(*ticket)) desk.deliver(ticket);
  }
  {
    std::unique_lock<std::mutex> lock(desk.mutex_);
    desk.idle_.wait(lock, [&] { return desk.unfinished_ == 0; });
  }
  desk.found_ = nullptr;
  while (desk.first_ != nullptr) {
    Ticket* const ticket = desk.first_;
    desk.first_ = ticket->next;
    delete ticket;
  }
}

// Returns the desk of an environment for which prepareAsync() succeeded.
Desk* deskOf(napi_env env) {
  void* desk = nullptr;
  napi_get_instance_data(env, &desk);
  return static_cast<Desk*>(desk);
}

}  // namespace

bool prepareAsync(napi_env env) {
  // If the process exits while runs are in flight, they must end before destructors run, those of OpenBLAS
  // included.
  static std::atomic<bool> registered{false};
  if (!registered && std::atexit([] { Locks::instance().close(); }) != 0) return false;
  registered = true;
  std::unique_ptr<Desk> desk(new (std::nothrow) Desk(env));
  const auto finalize = [](napi_env, void* data, void*) { Desk::release(static_cast<Desk*>(data)); };
  if (!desk || napi_set_instance_data(env, desk.get(), finalize, nullptr) != napi_ok) {
    return false;
  }
  static_cast<void>(desk.release());
  return true;
}

napi_value startProgram(napi_env env, napi_callback_info info) {
  Call call(env, info, "startProgram");
  Desk* const desk = deskOf(env);
  Kept<Compiled> compiled;
  double steps = 0;
  if (call.atLeast(firstArray) && programOf(call, 0, compiled) && call.integer(2, "the steps", 1, steps) &&
      desk->open(call)) {
    std::unique_ptr<Ticket> ticket = Ticket::create(call, *desk, compiled, steps);
    if (ticket && ticket->read(call)) return call.finish(desk->add(ticket.release()));
  }
  return call.finish();
}

napi_value cancelRun(napi_env env, napi_callback_info info) {
  Call call(env, info, "cancelRun");
  double number = 0;
  if (call.number(0, "the run", number)) {
    Desk* const desk = deskOf(env);
    Ticket* const ticket = desk->find(number);
    if (ticket != nullptr) {
      ticket->cancel();
      if (Locks::instance().withdraw(*ticket)) desk->deliver(ticket);
    }
  }
  return call.finish();
}

}  // namespace forebay
