// Allocations that fail on request, and are counted, for a build of the addon that only tests use. The code
// of that addon is unchanged: the linker replaces calls of allocating functions with the functions of
// failing.cc
// (--wrap). A normal build contains nothing of this.
#pragma once

#include <node_api.h>

namespace forebay::test {

// Adds `failing` to the exports of the addon:
//   failAt(n)  lets the n-th allocation from now on fail, and no other; 0: none fails
//   count()    the number of allocations since failAt()
//   failed()   the name of the function that failed since failAt(), or null
//   live()     {blocks, bytes, references}: what is allocated and not yet freed
//   holdCalls()  holds calls of threadsafe functions back until the cleanup hook of their environment has
//   run,
//              and then delivers them with an environment that is not null, as Bun does for a terminated
//              worker
//   held()     the number of calls that are held back
// FOREBAY_FAIL_AT in the environment acts as a first failAt(), for the allocations while the addon is loaded.
bool exportFailing(napi_env env, napi_value exports);

}  // namespace forebay::test
