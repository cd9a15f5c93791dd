// Asynchronous runs, on forebay's own threads (program/runners.h).
#pragma once

#include <node_api.h>

namespace forebay {

// Prepares the asynchronous runs of an environment. It is called for every environment that loads the addon,
// before the entry points are called. Returns false if out of memory.
bool prepareAsync(napi_env env);

// startProgram(program, run, steps, threads, checkFinite, done, ...feeds, ...outputs): starts `steps` runs,
// which execute one after another. Returns a number for cancelRun. In step s, feed i starts at element s *
// (the length of the feed) of its array. The same holds for outputs. All arrays must be on
// SharedArrayBuffers. `run` is the index of the first run; -1 means the next index of the queue of the
// program. done(status, steps, run) is called on the JavaScript thread. `status` is -1 if all steps are done,
// -2 if the runs were cancelled, -3 if an index was out of range, and otherwise the number of the instruction
// whose result was not finite. `steps` is the number of completed steps, and `run` is the index of the last
// run that was started. If the status is -3, the numbers of the failure follow (writeFailure in program.h).
// If the instruction that failed is in loops, the iterations of these loops follow, those of the outermost
// first.
napi_value startProgram(napi_env env, napi_callback_info info);

// cancelRun(number): cancels the runs of one startProgram. If the current run has not begun to write, it ends
// soon, without writing. `done` is still called.
napi_value cancelRun(napi_env env, napi_callback_info info);

}  // namespace forebay
