// What a thread that outlives everybody needs.
#pragma once

namespace forebay {

// The code that a detached thread runs must stay: Node may unload an addon with its last environment.
void keepLibraryLoaded();

}  // namespace forebay
