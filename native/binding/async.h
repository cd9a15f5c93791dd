// Asynchronous runs, on forebay's own threads (program/runners.h).
#pragma once

#include <node_api.h>

namespace forebay {

// Called for every environment that loads the addon, before its entry points are called.
bool prepareAsync(napi_env env);

// startProgram(program, run, steps, threads, checkFinite, done, ...feeds, ...outputs): starts `steps` runs,
// one after another. Returns a number for cancelRun. Feed i of step s starts at element s * (its length) of
// its array; outputs likewise. All arrays are on SharedArrayBuffers. `run` is the index of the first run; -1
// means the next one of the program's queue. done(status, steps, run) is called on the JavaScript thread.
// `status` is -1 if all steps are done, -2 if cancelled, else the instruction whose result was not finite.
// `steps` is the number of completed steps, and `run` the index of the last run that was started.
napi_value startProgram(napi_env env, napi_callback_info info);

// cancelRun(number): a run that has not begun to write ends soon, without writing. `done` is still called.
napi_value cancelRun(napi_env env, napi_callback_info info);

}  // namespace forebay
