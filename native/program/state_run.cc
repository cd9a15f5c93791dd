// Runs a program.
#include <algorithm>
#include <cstring>

#include "program/pool.h"
#include "program/state.h"
#include "program/stopwatch.h"

namespace forebay {

// Prepares the instructions that write leaves. Returns false if one has failed.
bool Program::State::prepareWrites(const RunArguments& arguments, Running& running) {
  Stopwatch stopwatch(arguments.nanoseconds);
  for (std::size_t i = writeStart; i < instructions.size(); ++i) {
    running.shared = shared.data() + ownShared[i - writeStart];
    const bool succeeded = instructions[i]->prepare(running);
    stopwatch.set(instructions[i]->number());
    if (succeeded) continue;
    running.failure->instruction = instructions[i]->number();
    return false;
  }
  return true;
}

bool Program::State::runRange(const RunArguments& arguments, Running& running, std::size_t from,
                              std::size_t to) {
  Stopwatch stopwatch(running.dry ? nullptr : arguments.nanoseconds);
  for (std::size_t i = from; i < to; ++i) {
    Instruction& instruction = *instructions[i];
    // The instructions that write leaves are prepared already.
    const bool writes = i >= writeStart;
    running.shared = shared.data() + (writes ? ownShared[i - writeStart] : 0);
    const bool succeeded = (writes || instruction.prepare(running)) && instruction.runAndCheck(running);
    writes ? stopwatch.add(instruction.number()) : stopwatch.set(instruction.number());
    if (!succeeded) {
      // A loop has reported which of its instructions has failed.
      if (running.failure->loops == 0) running.failure->instruction = instruction.number();
      return false;
    }
    if (!writes && running.isCancelled()) return true;
  }
  return true;
}

// Runs the instructions that write leaves, without writing to leaves. Returns false if a new value is NaN or
// infinite.
bool Program::State::dryRun(const RunArguments& arguments, Running& running) {
  char* copy = copies.data();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (!buffers[i].copied || buffers[i].bytes == 0) continue;
    const auto bytes = static_cast<std::size_t>(buffers[i].bytes);
    std::memcpy(copy, bases[i], bytes);
    bases[i] = copy;
    copy += padded(bytes);
  }
  running.dry = true;
  const bool finite = runRange(arguments, running, writeStart, instructions.size());
  running.dry = false;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].copied) bases[i] = const_cast<char*>(buffers[i].data);
  }
  return finite;
}

// Runs the instructions that run once, if their results are not known. Returns false if one has failed.
bool Program::State::runOnce(const RunArguments& arguments, Running& running) {
  if (onceCount == 0 || (kept != nullptr && !kept->wanted(arguments.checkFinite))) return true;
  if (kept != nullptr) kept->begin();
  if (!runRange(arguments, running, 0, onceCount)) return false;
  // After a cancellation, some of the instructions may not have run.
  if (kept != nullptr && !running.isCancelled()) kept->finish(arguments.checkFinite);
  return true;
}

// Sets the addresses of the buffers of kind output: the caller's memory or, if `direct` is false, memory of
// the program.
void Program::State::placeOutputs(void* const* targets, bool direct) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].direct) continue;
    bases[outputs[i].location.buffer] =
        direct ? static_cast<char*>(targets[i]) : spare.data() + outputs[i].spare;
  }
}

void Program::State::copyOutputs(void* const* targets) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Output& output = outputs[i];
    const char* const from = address(output.location, bases.data());
    if (output.count == 0 || from == targets[i]) continue;
    std::memcpy(targets[i], from, static_cast<std::size_t>(output.count) * sizeOf(output.type));
  }
}

RunResult Program::State::run(const RunArguments& arguments, RunFailure& failure) {
  bases[0] = arena->begin();
  for (std::size_t i = 0; i < feeds.size(); ++i) bases[feeds[i]] = static_cast<char*>(arguments.feeds[i]);
  Running running = {
      bases.data(),  buffers.data(),        scratch.data(),
      scratchPitch,  shared.data(),         std::min({arguments.threads, slots, Pool::instance().threads()}),
      arguments.run, arguments.checkFinite, false,
      &failure,      arguments.cancelled,   arguments.nanoseconds};
  failure = {};
  if (running.isCancelled()) return RunResult::cancelled;
  const bool mayFail = failsLate || arguments.checkFinite || arguments.cancelled != nullptr;
  placeOutputs(arguments.outputs, !arguments.keepOutputs || !mayFail);
  const auto failed = [&] { return failure.outOfRange ? RunResult::outOfRange : RunResult::notFinite; };
  if (!runOnce(arguments, running)) return failed();
  // The other instructions may read values that instructions have not computed because of a cancellation.
  if (running.isCancelled()) return RunResult::cancelled;
  if (!runRange(arguments, running, onceCount, writeStart)) return failed();
  if (running.isCancelled()) return RunResult::cancelled;
  if (!prepareWrites(arguments, running)) return failed();
  const bool writes = writeStart < instructions.size();
  // If possible, outputs are copied after the dry run. Then a run that ends as notFinite does not change the
  // memory of outputs.
  const bool outputsLast = arguments.checkFinite && writes && !outputsFirst;
  if (!outputsLast) copyOutputs(arguments.outputs);
  if (!writes) return RunResult::done;

  if (arguments.checkFinite) {
    if (!dryRun(arguments, running)) return RunResult::notFinite;
    running.check = false;
  }
  if (outputsLast) copyOutputs(arguments.outputs);
  if (arguments.beforeWrites != nullptr && !arguments.beforeWrites(arguments.context)) {
    return RunResult::cancelled;
  }
  runRange(arguments, running, writeStart, instructions.size());
  if (arguments.afterWrites != nullptr) arguments.afterWrites(arguments.context);
  return RunResult::done;
}

}  // namespace forebay
