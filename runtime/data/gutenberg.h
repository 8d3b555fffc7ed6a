// Books of Project Gutenberg.
#pragma once

#include <string>
#include <string_view>

namespace trama {

// A book without the byte order mark, the header up to a line as "*** START OF THE PROJECT
// GUTENBERG EBOOK ... ***" (or "*END*THE SMALL PRINT!...", as old ones have it), the footer from
// one as "*** END OF ..." or "End of Project Gutenberg's ..." on, and the empty lines beside them.
// Of several books in a text, all that is within. A text without such lines keeps what it has.
std::string StripGutenberg(std::string_view text);

}  // namespace trama
