#include "program/program.h"

#include "program/state.h"

namespace forebay {

Program::Program() = default;
Program::~Program() = default;

std::unique_ptr<Program> Program::create(const double* code, std::size_t length, const LeafMemory* leaves,
                                         std::size_t leafCount, Fault& fault, KeptValues* kept,
                                         Arena* arena) {
  std::unique_ptr<Program> program(new (std::nothrow) Program);
  if (program) program->state_.reset(new (std::nothrow) State);
  if (!program || !program->state_) {
    fault.memory("program: out of memory");
    return nullptr;
  }
  program->state_->kept = kept;
  if (arena != nullptr) program->state_->arena = arena;
  Reader reader(code, length, fault);
  if (!program->state_->decode(reader, leaves, leafCount)) return nullptr;
  return program;
}

RunResult Program::run(const RunArguments& arguments, RunFailure& failure) noexcept {
  return state_->run(arguments, failure);
}

std::size_t Program::feedCount() const { return state_->feeds.size(); }

std::size_t Program::feedBytes(std::size_t index) const {
  return static_cast<std::size_t>(state_->buffers[state_->feeds[index]].bytes);
}

std::size_t Program::feedAlignment(std::size_t index) const {
  return state_->buffers[state_->feeds[index]].alignment;
}

std::size_t Program::outputCount() const { return state_->outputs.size(); }
DType Program::outputType(std::size_t index) const { return state_->outputs[index].type; }

std::size_t Program::outputLength(std::size_t index) const {
  return static_cast<std::size_t>(state_->outputs[index].count);
}

std::size_t Program::instructionCount() const { return state_->numbers; }

double Program::executions() const {
  double all = 0;
  for (const auto& instruction : state_->instructions) all += instruction->executions();
  return all;
}

std::size_t Program::arenaBytes() const { return static_cast<std::size_t>(state_->buffers[0].bytes); }

std::size_t Program::scratchBytes() const {
  return state_->scratchPitch * static_cast<std::size_t>(state_->slots) + state_->sharedBytes;
}

void Program::findTouched(bool* reads, bool* writes) const {
  std::size_t leaf = 0;
  for (const Buffer& buffer : state_->buffers) {
    if (buffer.kind == Buffer::Kind::constant) ++leaf;
    if (buffer.kind != Buffer::Kind::variable) continue;
    // Every variable is marked as read, even if the program only writes it. No program has a leaf that it
    // does not use.
    reads[leaf] = true;
    writes[leaf] = writes[leaf] || buffer.touched;
    ++leaf;
  }
}

void Program::findOnce(bool* reads) const {
  std::size_t leaf = 0;
  for (const Buffer& buffer : state_->buffers) {
    if (buffer.kind != Buffer::Kind::variable && buffer.kind != Buffer::Kind::constant) continue;
    reads[leaf] = reads[leaf] || (buffer.kind == Buffer::Kind::variable && buffer.once);
    ++leaf;
  }
}

}  // namespace forebay
