// Allocations that fail when they are told to, and are counted: for a build of the addon that tests alone
// use. Its code is the very code of the addon; the linker puts the functions of failing.cc in front of
// those that allocate (--wrap), so that nothing of this is in a normal build.
#pragma once

#include <node_api.h>

namespace forebay::test {

// Adds `failing` to what the addon exports:
//   failAt(n)  the n-th allocation from now on fails, and no other; 0: none does
//   count()    how many there were since failAt()
//   failed()   the name of the one that failed since failAt(), or null
//   live()     {blocks, bytes, references}: what was allocated and has not been given back
//   holdCalls()  from now on, calls of threadsafe functions wait until the hook that ends their environment
//   has
//              run, and then arrive with an environment that is not null: so does Bun when a worker is
//              terminated
//   held()     how many wait
// FOREBAY_FAIL_AT in the environment is a first failAt(): of what loading the addon allocates.
bool exportFailing(napi_env env, napi_value exports);

}  // namespace forebay::test
