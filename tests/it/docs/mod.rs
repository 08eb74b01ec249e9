//! The README and the book in `docs/`: generated pages are what the code says, every page has its place in the table of
//! contents, every link leads somewhere, and every example is tried with the built binary. `just docs` writes generated
//! pages anew, and output that pages show in full.

mod console;
mod contents;
mod examples;
mod explain;
mod links;
mod page;
mod reference;
