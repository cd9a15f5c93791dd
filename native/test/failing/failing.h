// Lets allocations fail on request, and counts them, in a build of the addon that only tests use. The code of
// this addon is unchanged: with --wrap, the linker replaces calls of allocating functions with calls of the
// functions of failing.cc. A normal build contains nothing of this folder.
#pragma once

#include <node_api.h>

namespace forebay::test {

// Adds `failing` to the exports of the addon:
//   failAt(n)    resets the count; from now on, only the n-th allocation fails, or none if n is 0
//   count()      returns the number of allocations since failAt()
//   failed()     returns the name of the function that failed since failAt(), or null
//   sites()      returns the names of the functions that allocated since failAt(), in order, as one text
//                with spaces between the names
//   live()       returns {blocks, bytes, references}: how many memory blocks, bytes and references exist now
//   holdCalls()  from now on, holds back the calls of threadsafe functions until the cleanup hook of their
//                environment has run. The held calls are then delivered with an environment that is not
//                null, as Bun does for a terminated worker
//   held()       returns the number of calls that are held back now
//
// The environment variable FOREBAY_FAIL_AT acts as a first call of failAt(), made before the addon is
// initialized, so that allocations during its loading can fail, too.
bool exportFailing(napi_env env, napi_value exports);

}  // namespace forebay::test
