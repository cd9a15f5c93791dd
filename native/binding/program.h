// The native object of a compiled program. It owns the program of the executor, keeps the leaves alive, and
// contains the claims of its runs (which leaves a run reads and which it writes).
#pragma once

#include <node_api.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "binding/call.h"
#include "binding/counted.h"
#include "program/locks.h"
#include "program/program.h"

namespace forebay {

class Queue;

// The arena of the programs of a queue. It is freed with the last of them.
class SharedArena final : public Counted {
 public:
  SharedArena(napi_env env, Queue& queue) : env_(env), queue_(queue) {}
  ~SharedArena() override;
  Arena memory;
  // Tells the garbage collector how large the arena is.
  void report();

 private:
  const napi_env env_;
  Queue& queue_;  // outlives its programs, and so the arena
  std::int64_t reported_ = 0;
};

// A queue of programs. The runs of all programs of a queue execute one at a time, in the order of the calls.
// They are numbered together.
class Queue final : public Counted {
 public:
  std::atomic<std::uint64_t> next{0};  // the index of the next run
  // Returns the arena of its programs. Returns null if there is not enough memory.
  Kept<SharedArena> arena(napi_env env);

 private:
  friend class SharedArena;
  SharedArena* arena_ = nullptr;  // null if no program has it
};

// Kept values (kept.h) that programs share.
class SharedValues final : public Counted {
 public:
  // Returns null if there is not enough memory.
  static Kept<SharedValues> create(napi_env env, double bytes);
  ~SharedValues() override;
  KeptValues values;

 private:
  explicit SharedValues(napi_env env) : env_(env) {}
  const napi_env env_;
  std::int64_t reported_ = 0;
};

// A run returns its status as a number: runDone, or the number of an instruction whose result is not finite,
// or runCancelled, or runOutOfRange (an instruction failed, because an index is out of range), or a number
// below -3. The last means that the run was refused because feeds and outputs overlap in memory. The number
// encodes the overlap, because only JavaScript has the names for the error message: -4 - (subject * all +
// object). Subjects are outputs, then feeds. Objects are feeds, then outputs, then leaves. `all` is the
// number of objects.
constexpr double runDone = -1, runCancelled = -2, runOutOfRange = -3, firstOverlap = -4;

double statusOf(RunResult result, const RunFailure& failure);

// Writes the failure of a run whose status is runOutOfRange as numbers, for JavaScript: the instruction, the
// index, the axis, the bound and the value.
constexpr std::size_t failureNumbers = 5;
void writeFailure(const RunFailure& failure, double* numbers);
// Writes the iterations of the loops around the instruction that failed, those of the outermost loop first.
// Returns their number, which is at most maxLoopDepth.
std::size_t writeIterations(const RunFailure& failure, double* numbers);

class Compiled final : public Counted, private Watch {
 public:
  // Makes the object from the arguments of createProgram. Returns null if that fails, and records the fault
  // in `call`.
  static Kept<Compiled> create(Call& call, Kept<Queue> queue, Kept<SharedValues> kept);
  ~Compiled() override;

  Program& program() const { return *program_; }
  Queue& queue() const { return *queue_; }
  const Claims& claims() const { return claims_; }
  // The failure of the last synchronous run.
  RunFailure& failure() { return failure_; }

  // Reads the addresses of the feeds and then of the outputs, starting at argument `first`. Each array holds
  // the elements of `steps` runs. If `shared` is true, the memory must not be detachable, and arrays may be
  // longer than necessary.
  bool readMemory(Call& call, std::size_t first, double steps, bool shared, void** addresses) const;
  // Returns the number that encodes an overlap, or runDone if there is no overlap.
  double findOverlap(void* const* addresses) const;

  // For synchronous runs, of which only one exists at a time. room() is space for the addresses of the feeds
  // and outputs that a run passes. own() has the addresses of the feeds and outputs that were passed to
  // createProgram, for runs that pass none; it is null if none were passed.
  void** room() const { return room_.get(); }
  void** own() const { return own_.get(); }
  bool hasOwn(Call& call) const;

 private:
  struct Range {
    std::uintptr_t begin, end;
    std::size_t leaf;
    bool written;
  };
  explicit Compiled(napi_env env) : env_(env) {}
  bool readLeaves(Call& call);
  LeafSet collect(const bool* chosen, const void** to) const;
  bool findClaims(Call& call);
  bool watchLeaves(Call& call);
  bool expired() const override { return kept_->values.expired(); }
  void expire() override { kept_->values.expire(); }
  bool readOwn(Call& call);
  void report(std::int64_t bytes) const;
  bool countMemory(Call& call, std::size_t given) const;
  bool readArray(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                 void*& address) const;
  bool readFeed(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                void*& address) const;
  bool readOutput(Call& call, std::size_t index, double steps, bool shared, napi_value value,
                  void*& address) const;
  std::size_t memoryCount() const { return program_->feedCount() + program_->outputCount(); }
  std::size_t leafOverlapping(std::uintptr_t begin, std::uintptr_t end, bool writtenOnly) const;
  bool outputsOverlap(void* const* addresses) const;

  const napi_env env_;
  Kept<SharedValues> kept_;  // null if the program has no kept values
  Kept<Queue> queue_;
  Kept<SharedArena> arena_;
  std::unique_ptr<Program> program_;
  Reference keptLeaves_, keptOwn_;
  std::size_t leafCount_ = 0;
  std::unique_ptr<LeafMemory[]> leaves_;
  std::unique_ptr<Range[]> ranges_;  // the memory of each leaf that has elements, by ascending address
  std::size_t rangeCount_ = 0;
  std::unique_ptr<const void*[]> claimed_, watched_;
  bool watches_ = false;
  std::unique_ptr<void*[]> room_, own_;
  std::unique_ptr<std::uint32_t[]> order_;  // scratch memory of outputsOverlap()
  Claims claims_;
  RunFailure failure_;
  std::int64_t reported_ = 0;
};

// Returns the number of threads of a run: `wanted`, or the setting of the process if `wanted` is less than 1.
int threadsOf(double wanted);

// Reads a program from an external value. Fails if the program was disposed of.
bool programOf(Call& call, std::size_t argument, Kept<Compiled>& compiled);

// Reads kept values. They are empty if they were disposed of.
bool keptOf(Call& call, std::size_t argument, Kept<SharedValues>& kept);

// The entry points, except those of async.h.
napi_value createQueue(napi_env env, napi_callback_info info);
napi_value createKept(napi_env env, napi_callback_info info);
napi_value expireKept(napi_env env, napi_callback_info info);
napi_value disposeKept(napi_env env, napi_callback_info info);
napi_value createProgram(napi_env env, napi_callback_info info);
napi_value runProgram(napi_env env, napi_callback_info info);
napi_value profileProgram(napi_env env, napi_callback_info info);
napi_value readFailure(napi_env env, napi_callback_info info);
napi_value readIterations(napi_env env, napi_callback_info info);
napi_value disposeProgram(napi_env env, napi_callback_info info);
napi_value claimLeaves(napi_env env, napi_callback_info info);
napi_value beginWrites(napi_env env, napi_callback_info info);
napi_value releaseLeaves(napi_env env, napi_callback_info info);
napi_value gatherRows(napi_env env, napi_callback_info info);

}  // namespace forebay
