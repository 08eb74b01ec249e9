//! Where in a shell script a reader is: among words, or inside quotes, a comment or a here-document. What a value does
//! there depends on it. Pure.

/// What surrounds a place of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteContext {
    /// Words: one value is one or more of them.
    Words,
    /// Quotes of either kind.
    Quotes,
    /// A comment.
    Comment,
    /// A here-document.
    HereDocument,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Single,
    Double,
    Backticks,
    /// `$( … )`
    Substitution,
    /// `( … )`, for its closing parenthesis.
    Group,
}

/// A reader of a script that is fed piece by piece.
#[derive(Default)]
pub(super) struct Quotes {
    inside: Vec<Inside>,
    comment: bool,
    /// Delimiters of here-documents that begin on the next line.
    waiting: Vec<String>,
    /// Those that are read now.
    open: Vec<String>,
    /// The line so far.
    line: String,
    /// The word so far, quotes included; empty after white space.
    word: String,
}

impl Quotes {
    /// What surrounds the place that was reached.
    pub(super) fn around(&self) -> QuoteContext {
        match self.inside.last() {
            _ if !self.open.is_empty() => QuoteContext::HereDocument,
            _ if self.comment => QuoteContext::Comment,
            Some(Inside::Single | Inside::Double) => QuoteContext::Quotes,
            _ => QuoteContext::Words,
        }
    }

    /// Whether the next word is read as shell code of its own: it stands behind `eval`, or behind `sh -c`.
    pub(super) fn is_code(&self) -> bool {
        let mut words = self.line.split_whitespace().rev();
        let last = words.next().unwrap_or_default();
        self.word.is_empty()
            && self.around() == QuoteContext::Words
            && (last == "eval" || is_command_flag(last) && words.any(crate::op::is_shell))
    }

    /// Goes on behind a value, which counts as part of a word.
    pub(super) fn value(&mut self) {
        self.line.push('_');
        self.word.push('_');
    }

    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            if next == '\n' {
                self.end_line();
                continue;
            }
            let is_start = self.word.is_empty();
            self.line.push(next);
            if !self.open.is_empty() || self.comment {
                continue;
            }
            match self.inside.last() {
                Some(Inside::Single) => {
                    if next == '\'' {
                        self.inside.pop();
                    }
                    self.word.push(next);
                    continue;
                }
                _ if next == '\\' => {
                    self.word.push(next);
                    if let Some(escaped) = rest.next() {
                        self.line.push(escaped);
                        self.word.push(escaped);
                    }
                    continue;
                }
                _ => {}
            }
            let substitution = next == '$' && rest.peek() == Some(&'(');
            let in_double = self.inside.last() == Some(&Inside::Double);
            match next {
                _ if substitution => {
                    rest.next();
                    self.line.push('(');
                    self.inside.push(Inside::Substitution);
                    self.word.clear();
                }
                '"' if in_double => self.close(next),
                '`' if self.inside.last() == Some(&Inside::Backticks) => self.close(next),
                '`' => {
                    self.inside.push(Inside::Backticks);
                    self.word.clear();
                }
                _ if in_double => self.word.push(next),
                '"' => self.begin(Inside::Double, next),
                '\'' => self.begin(Inside::Single, next),
                '(' => {
                    self.inside.push(Inside::Group);
                    self.word.clear();
                }
                ')' if matches!(self.inside.last(), Some(Inside::Group | Inside::Substitution)) => {
                    self.close(next);
                }
                '#' if is_start => self.comment = true,
                ' ' | '\t' | ';' | '|' | '&' | '<' | '>' => {
                    self.word.clear();
                    if next == '<' {
                        self.here_document(&mut rest);
                    }
                }
                _ => self.word.push(next),
            }
        }
    }

    fn begin(&mut self, inside: Inside, mark: char) {
        self.inside.push(inside);
        self.word.push(mark);
    }

    fn close(&mut self, mark: char) {
        self.inside.pop();
        self.word.push(mark);
    }

    /// `<<END`, `<<-'END'`; `<<<` is no here-document.
    fn here_document(&mut self, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        if rest.next_if_eq(&'<').is_none() || rest.peek() == Some(&'<') {
            while rest.next_if_eq(&'<').is_some() {}
            return;
        }
        rest.next_if_eq(&'-');
        while rest.next_if(|next| *next == ' ' || *next == '\t').is_some() {}
        let mut delimiter = String::new();
        while let Some(next) = rest.next_if(|next| !next.is_whitespace() && !";|&()<>".contains(*next)) {
            if !"'\"\\".contains(next) {
                delimiter.push(next);
            }
        }
        self.waiting.push(delimiter);
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.comment = false;
        if let Some(delimiter) = self.open.first() {
            if line.trim_start_matches('\t') == delimiter {
                self.open.remove(0);
            }
            return;
        }
        match self.inside.last() {
            Some(Inside::Single | Inside::Double) => self.word.push('\n'),
            _ => {
                self.word.clear();
                self.open = std::mem::take(&mut self.waiting);
            }
        }
    }
}

/// `-c`, `-ec`, `-lc`: what follows is shell code.
pub(super) fn is_command_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        letters.ends_with('c') && letters.bytes().all(|letter| letter.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_what_stands_before_it() {
        let cases = [
            ("echo ", QuoteContext::Words),
            ("echo \"", QuoteContext::Quotes),
            ("echo \"a\" ", QuoteContext::Words),
            ("echo 'it", QuoteContext::Quotes),
            ("echo \"it's ", QuoteContext::Quotes),
            ("echo it\\'s ", QuoteContext::Words),
            ("echo '\\' ", QuoteContext::Words),
            ("echo \"$(basename ", QuoteContext::Words),
            ("echo \"$(basename x) ", QuoteContext::Quotes),
            ("echo $(basename \"", QuoteContext::Quotes),
            ("echo `basename ", QuoteContext::Words),
            ("echo a # it is ", QuoteContext::Comment),
            ("echo a#b ", QuoteContext::Words),
            ("# it's\necho ", QuoteContext::Words),
            ("cat <<EOF\n", QuoteContext::HereDocument),
            ("cat <<-'EOF' | sh\nit's\n", QuoteContext::HereDocument),
            ("cat <<EOF\nit's\nEOF\necho ", QuoteContext::Words),
            ("cat <<A <<B\nA\n", QuoteContext::HereDocument),
            ("cat <<<x\n", QuoteContext::Words),
            ("(cd /tmp; echo ", QuoteContext::Words),
            ("case $x in a) echo ", QuoteContext::Words),
            ("echo \"a\nb ", QuoteContext::Quotes),
        ];
        for (script, expected) in cases {
            let mut quotes = Quotes::default();
            quotes.read(script);
            assert_eq!(quotes.around(), expected, "{script}");
        }
    }

    #[test]
    fn some_words_are_code_again() {
        let cases = [
            ("eval ", true),
            ("sh -c ", true),
            ("sudo bash -ec ", true),
            ("echo eval x ", false),
            ("tar -c ", false),
            ("eval \"", false),
        ];
        for (script, expected) in cases {
            let mut quotes = Quotes::default();
            quotes.read(script);
            assert_eq!(quotes.is_code(), expected, "{script}");
        }
    }
}
