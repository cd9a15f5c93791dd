#include "binding/program.h"

#include <algorithm>
#include <cinttypes>
#include <new>

#include "program/pool.h"

namespace forebay {

namespace {

struct QueueHandle final : Handle {
  explicit QueueHandle(Kept<Queue> what) : Handle(Kind::queue), queue(std::move(what)) {}
  const Kept<Queue> queue;
};

struct ProgramHandle final : Handle {
  explicit ProgramHandle(Kept<Compiled> what) : Handle(Kind::program), compiled(std::move(what)) {}
  Kept<Compiled> compiled;
};

// The locks of a synchronous run. The constructor waits until the run may start, and the destructor releases
// the leaves.
class Turn final : public Locks::Request {
 public:
  explicit Turn(const Claims& claims) : Request(claims) { Locks::instance().enter(*this); }
  ~Turn() override { Locks::instance().leave(*this); }
  static bool beforeWrites(void* turn) {
    Locks::instance().beforeWrites(*static_cast<Turn*>(turn));
    return true;
  }
};

template <class T>
std::unique_ptr<T[]> zeroed(std::size_t count) {
  return std::unique_ptr<T[]>(new (std::nothrow) T[count]());
}

// A call from JavaScript for a synchronous run. Its arguments are (program, run, threads, …, ...feeds,
// ...outputs).
class RunCall {
 public:
  RunCall(napi_env env, napi_callback_info info, const char* name) : call_(env, info, name) {}

  Call& call() { return call_; }
  const Program& program() const { return compiled_->program(); }

  // Reads the arguments. The feeds and outputs start at argument `first`.
  bool read(std::size_t first) {
    if (!call_.atLeast(first) || !programOf(call_, 0, compiled_) || !call_.integer(1, "the run", 0, run_) ||
        !call_.integer(2, "the threads", 0, threads_)) {
      return false;
    }
    memory_ = call_.count() > first ? compiled_->room() : compiled_->own();
    return memory_ == compiled_->own() ? compiled_->hasOwn(call_)
                                       : compiled_->readMemory(call_, first, 1, false, memory_);
  }

  // Runs the program once on this thread. Returns the status for JavaScript.
  double run(bool checkFinite, bool keepOutputs, double* nanoseconds) {
    const double overlap = memory_ == compiled_->own() ? runDone : compiled_->findOverlap(memory_);
    if (overlap != runDone) return overlap;
    RunArguments arguments;
    arguments.feeds = memory_;
    arguments.outputs = memory_ + compiled_->program().feedCount();
    arguments.run = static_cast<std::uint64_t>(run_);
    arguments.threads = threadsOf(threads_);
    arguments.checkFinite = checkFinite;
    arguments.keepOutputs = keepOutputs;
    arguments.nanoseconds = nanoseconds;
    Turn turn(compiled_->claims());
    arguments.beforeWrites = Turn::beforeWrites;
    arguments.context = &turn;
    return statusOf(compiled_->program().run(arguments, compiled_->failure()), compiled_->failure());
  }

  napi_value finish(double status) { return call_.finish(status); }

 private:
  Call call_;
  Kept<Compiled> compiled_;
  void** memory_ = nullptr;
  double run_ = 0, threads_ = 0;
};

}  // namespace

double statusOf(RunResult result, const RunFailure& failure) {
  switch (result) {
    case RunResult::notFinite:
      return static_cast<double>(failure.instruction);
    case RunResult::outOfRange:
      return runOutOfRange;
    case RunResult::cancelled:
      return runCancelled;
    case RunResult::done:
      break;
  }
  return runDone;
}

void writeFailure(const RunFailure& failure, double* numbers) {
  numbers[0] = static_cast<double>(failure.instruction);
  numbers[1] = static_cast<double>(failure.index);
  numbers[2] = static_cast<double>(failure.axis);
  numbers[3] = static_cast<double>(failure.bound);
  numbers[4] = static_cast<double>(failure.value);
}

std::size_t writeIterations(const RunFailure& failure, double* numbers) {
  std::copy_n(failure.iterations, failure.loops, numbers);
  return static_cast<std::size_t>(failure.loops);
}

int threadsOf(double wanted) {
  if (wanted < 1) return Pool::instance().threads();
  return static_cast<int>(std::min<double>(wanted, Pool::maxThreads));
}

bool programOf(Call& call, std::size_t argument, Kept<Compiled>& compiled) {
  ProgramHandle* handle = nullptr;
  if (!call.handle(argument, "a program", Handle::Kind::program, handle)) return false;
  if (!handle->compiled) return call.fault().argument("the program has been disposed of");
  compiled = handle->compiled;
  return true;
}

// ---- Creating a program.

void SharedArena::report() {
  const auto bytes = static_cast<std::int64_t>(memory.bytes());
  std::int64_t all = 0;
  napi_adjust_external_memory(env_, bytes - reported_, &all);
  reported_ = bytes;
}

SharedArena::~SharedArena() {
  queue_.arena_ = nullptr;
  std::int64_t all = 0;
  napi_adjust_external_memory(env_, -reported_, &all);
}

Kept<SharedArena> Queue::arena(napi_env env) {
  if (arena_ == nullptr) arena_ = new (std::nothrow) SharedArena(env, *this);
  return Kept<SharedArena>(arena_);
}

Kept<Compiled> Compiled::create(Call& call, Kept<Queue> queue, Kept<SharedValues> kept) {
  Kept<Compiled> made(new (std::nothrow) Compiled(call.env()));
  if (!made) {
    call.fault().memory("createProgram: there is no memory left");
    return {};
  }
  made->queue_ = std::move(queue);
  made->kept_ = std::move(kept);
  made->arena_ = made->queue_->arena(call.env());
  if (!made->arena_) {
    call.fault().memory("createProgram: there is no memory left");
    return {};
  }
  const double* code = nullptr;
  std::size_t length = 0;
  // The code is read after the list of leaves, because reading a list may run JavaScript, which could detach
  // the memory of the code.
  if (!made->readLeaves(call) || !call.geometry(0, code, length)) return {};
  made->program_ = Program::create(code, length, made->leaves_.get(), made->leafCount_, call.fault(),
                                   made->kept_ ? &made->kept_->values : nullptr, &made->arena_->memory);
  made->arena_->report();
  if (!made->program_ || !made->findClaims(call) || !made->watchLeaves(call)) return {};
  const std::size_t bytes = made->program_->scratchBytes();
  made->reported_ = static_cast<std::int64_t>(bytes + length * sizeof(double));
  made->report(made->reported_);
  if (!made->readOwn(call)) return {};
  return made;
}

Compiled::~Compiled() {
  if (watches_) Locks::instance().remove(*this);
  if (reported_ > 0) report(-reported_);
  program_.reset();
  if (arena_) arena_->report();
}

void Compiled::report(std::int64_t bytes) const {
  std::int64_t all = 0;
  napi_adjust_external_memory(env_, bytes, &all);
}

bool Compiled::readLeaves(Call& call) {
  std::uint32_t count = 0;
  if (!call.list(1, "the leaves", count)) return false;
  leafCount_ = count;
  leaves_ = zeroed<LeafMemory>(count);
  ranges_ = zeroed<Range>(count);
  const auto values = zeroed<napi_value>(count);
  if (!leaves_ || !ranges_ || !values) {
    return call.fault().memory("createProgram: no memory for %u leaves", count);
  }
  if (!call.elements(1, count, values.get())) return false;
  for (std::uint32_t leaf = 0; leaf < count; ++leaf) {
    Array array;
    if (!call.typedArray(values[leaf], "leaf", leaf, true, array)) return false;
    const std::size_t bytes = array.length * sizeOf(array.dtype);
    leaves_[leaf] = {array.data, bytes};
    const auto begin = reinterpret_cast<std::uintptr_t>(array.data);
    if (bytes > 0) ranges_[rangeCount_++] = {begin, begin + bytes, leaf, false};
  }
  std::sort(ranges_.get(), ranges_.get() + rangeCount_,
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return call.keep(values.get(), count, keptLeaves_);
}

LeafSet Compiled::collect(const bool* chosen, const void** to) const {
  std::size_t count = 0;
  const void* last = nullptr;
  for (std::size_t i = 0; i < rangeCount_; ++i) {
    const void* const leaf = leaves_[ranges_[i].leaf].data;
    if (chosen[ranges_[i].leaf] && leaf != last) last = to[count++] = leaf;
  }
  return LeafSet{to, count};
}

// Watches the leaves that the instructions that run once read.
bool Compiled::watchLeaves(Call& call) {
  if (!kept_) return true;
  const auto read = zeroed<bool>(leafCount_);
  watched_ = zeroed<const void*>(leafCount_);
  if (!read || !watched_) return call.fault().memory("createProgram: no memory for its claims");
  program_->findOnce(read.get());
  leaves = collect(read.get(), watched_.get());
  Locks::instance().add(*this);
  watches_ = true;
  return true;
}

bool Compiled::findClaims(Call& call) {
  const auto touched = zeroed<bool>(2 * leafCount_);
  claimed_ = zeroed<const void*>(2 * leafCount_);
  if (!touched || !claimed_) return call.fault().memory("createProgram: no memory for its claims");
  program_->findTouched(touched.get(), touched.get() + leafCount_);
  claims_.reads = collect(touched.get(), claimed_.get());
  claims_.writes = collect(touched.get() + leafCount_, claimed_.get() + leafCount_);
  claims_.line = queue_.get();
  for (std::size_t i = 0; i < rangeCount_; ++i) {
    ranges_[i].written = touched[leafCount_ + ranges_[i].leaf];
  }
  return true;
}

bool Compiled::readOwn(Call& call) {
  const std::size_t count = memoryCount();
  room_ = zeroed<void*>(count);
  order_ = zeroed<std::uint32_t>(count);
  if (!room_ || !order_) return call.fault().memory("createProgram: no memory for its feeds");
  if (call.isNull(3)) return true;
  own_ = zeroed<void*>(count);
  const auto values = zeroed<napi_value>(count);
  if (!own_ || !values) return call.fault().memory("createProgram: no memory for its feeds");
  std::uint32_t given = 0;
  if (!call.list(3, "its own memory", given) || !countMemory(call, given) ||
      !call.elements(3, given, values.get())) {
    return false;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!readArray(call, i, 1, true, values[i], own_[i])) return false;
  }
  return call.keep(values.get(), count, keptOwn_);
}

// ---- The entry points.

napi_value createQueue(napi_env env, napi_callback_info info) {
  Call call(env, info, "createQueue");
  Kept<Queue> queue(new (std::nothrow) Queue);
  return call.finish(call.external(queue ? new (std::nothrow) QueueHandle(queue) : nullptr));
}

// createProgram(code, leaves, queue, own | null, kept | null): `own` is the list of feeds and outputs for
// runs that pass none
napi_value createProgram(napi_env env, napi_callback_info info) {
  Call call(env, info, "createProgram");
  napi_value handle = nullptr;
  QueueHandle* queue = nullptr;
  Kept<SharedValues> kept;
  if (call.atLeast(5) && call.handle(2, "a queue", Handle::Kind::queue, queue) &&
      (call.isNull(4) || keptOf(call, 4, kept))) {
    Kept<Compiled> compiled = Compiled::create(call, queue->queue, std::move(kept));
    if (compiled) handle = call.external(new (std::nothrow) ProgramHandle(std::move(compiled)));
  }
  return call.finish(handle);
}

// runProgram(program, run, threads, checkFinite, keepOutputs, ...feeds, ...outputs)
napi_value runProgram(napi_env env, napi_callback_info info) {
  RunCall run(env, info, "runProgram");
  bool checkFinite = false, keepOutputs = false;
  const bool fine = run.read(5) && run.call().flag(3, "checkFinite", checkFinite) &&
                    run.call().flag(4, "keepOutputs", keepOutputs);
  return run.finish(fine ? run.run(checkFinite, keepOutputs, nullptr) : runDone);
}

// profileProgram(program, run, threads, nanoseconds, ...feeds, ...outputs): `nanoseconds` has an element for
// each instruction, those of loops included (code.h).
napi_value profileProgram(napi_env env, napi_callback_info info) {
  RunCall run(env, info, "profileProgram");
  Array times{};
  bool fine = run.read(4) && run.call().array(3, "the times", times);
  if (fine && (times.dtype != DType::float64 || times.length != run.program().instructionCount())) {
    fine = run.call().fault().argument("profileProgram: the times are %s of %zu, expected float64 of %zu",
                                       nameOf(times.dtype), times.length, run.program().instructionCount());
  }
  return run.finish(fine ? run.run(false, false, static_cast<double*>(times.data)) : runDone);
}

// readFailure(program, numbers): describes the last synchronous run whose status was runOutOfRange. `numbers`
// is a Float64Array of failureNumbers elements.
napi_value readFailure(napi_env env, napi_callback_info info) {
  Call call(env, info, "readFailure");
  Kept<Compiled> compiled;
  Array numbers{};
  if (call.atLeast(2) && programOf(call, 0, compiled) && call.array(1, "the numbers", numbers)) {
    if (numbers.dtype != DType::float64 || numbers.length != failureNumbers) {
      call.fault().argument("readFailure: the numbers are %s of %zu, expected float64 of %zu",
                            nameOf(numbers.dtype), numbers.length, failureNumbers);
    } else {
      writeFailure(compiled->failure(), static_cast<double*>(numbers.data));
    }
  }
  return call.finish();
}

// readIterations(program, numbers): returns how many loops are around the instruction that ended the last
// synchronous run, whose status was runOutOfRange or the number of this instruction. Writes their iterations,
// those of the outermost loop first. `numbers` is a Float64Array of maxLoopDepth elements.
napi_value readIterations(napi_env env, napi_callback_info info) {
  Call call(env, info, "readIterations");
  Kept<Compiled> compiled;
  Array numbers{};
  if (!call.atLeast(2) || !programOf(call, 0, compiled) || !call.array(1, "the numbers", numbers)) {
    return call.finish();
  }
  if (numbers.dtype != DType::float64 || numbers.length != maxLoopDepth) {
    call.fault().argument("readIterations: the numbers are %s of %zu, expected float64 of %d",
                          nameOf(numbers.dtype), numbers.length, maxLoopDepth);
    return call.finish();
  }
  const std::size_t count = writeIterations(compiled->failure(), static_cast<double*>(numbers.data));
  return call.finish(static_cast<double>(count));
}

// disposeProgram(program): frees the program, at once or after the runs in flight. It may be called again.
napi_value disposeProgram(napi_env env, napi_callback_info info) {
  Call call(env, info, "disposeProgram");
  ProgramHandle* handle = nullptr;
  if (call.handle(0, "a program", Handle::Kind::program, handle)) handle->compiled = Kept<Compiled>();
  return call.finish();
}

}  // namespace forebay
