// Runs off the JavaScript thread, on forebay's own threads (program/runners.h).
#pragma once

#include <node_api.h>

namespace forebay {

// For every environment that loads the addon, before the entry points are called.
bool prepareAsync(napi_env env);

// startProgram(program, run, steps, threads, checkFinite, done, ...feeds, ...outputs): a number for
// cancelRun. `steps` runs one after another; feed i of step s is at element s * (its length) of its array,
// outputs likewise, all of it on SharedArrayBuffers. `run` is the first one's index; -1: the one after the
// last of its queue. done(status, steps, run) is called on the JavaScript thread: -1 all done, -2 cancelled,
// else the instruction whose result was not finite; how many steps were done; and the index of the last that
// was begun.
napi_value startProgram(napi_env env, napi_callback_info info);

// cancelRun(number): a run that has not begun to write ends soon, without writing; done is still called.
napi_value cancelRun(napi_env env, napi_callback_info info);

}  // namespace forebay
