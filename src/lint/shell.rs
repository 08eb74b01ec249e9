//! A shell script cut into its commands, each word with its place. Not a shell: it knows quotes, comments, here-documents
//! and what separates commands, which is what a reader needs to see which program gets which arguments. Pure.

use std::ops::Range;

/// A word of a command: its text without quotes, and its bytes in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShellWord {
    pub(super) text: String,
    pub(super) range: Range<usize>,
}

/// The commands of a script, in order; those inside `$( )` come before the one around them.
pub(super) fn commands(script: &str) -> Vec<Vec<ShellWord>> {
    commands_within(script, 0)
}

/// Deeper substitutions are kept as text: nobody writes them, and a hostile file must not cost the stack.
const DEEPEST: usize = 8;

fn commands_within(script: &str, depth: usize) -> Vec<Vec<ShellWord>> {
    let mut reader =
        Reader { script, at: 0, depth, done: Vec::new(), words: Vec::new(), heredocs: Vec::new() };
    reader.all();
    reader.done
}

struct Reader<'s> {
    script: &'s str,
    at: usize,
    depth: usize,
    done: Vec<Vec<ShellWord>>,
    words: Vec<ShellWord>,
    /// Delimiters of here-documents that begin on the next line.
    heredocs: Vec<String>,
}

impl Reader<'_> {
    fn all(&mut self) {
        while let Some(next) = self.peek() {
            match next {
                '\n' => {
                    self.at += 1;
                    self.end();
                    self.skip_heredocs();
                }
                ';' | '|' | '&' | '(' | ')' => {
                    self.at += 1;
                    self.end();
                }
                '#' => self.skip_line(),
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '<' | '>' if placeholder(self.rest()).is_none() => self.redirect(),
                _ if next.is_whitespace() => self.at += next.len_utf8(),
                _ => self.word(),
            }
        }
        self.end();
    }

    fn rest(&self) -> &str {
        &self.script[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The command so far is complete.
    fn end(&mut self) {
        if !self.words.is_empty() {
            self.done.push(std::mem::take(&mut self.words));
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// `>`, `>>`, `<`, `2>&1`: a word of its own, so that what follows is seen as a file.
    fn redirect(&mut self) {
        let start = self.at;
        let operator = self.rest().len() - self.rest().trim_start_matches(['<', '>']).len();
        self.at += operator;
        let text = self.script[start..self.at].to_owned();
        if text == "<<" {
            self.at += usize::from(self.rest().starts_with('-'));
            self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
            let before = self.words.len();
            self.word();
            let delimiter = self.words.drain(before..).map(|word| word.text).next();
            self.heredocs.extend(delimiter);
            return;
        }
        if let Some(descriptor) = self.rest().strip_prefix('&') {
            let digits = descriptor.len() - descriptor.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            self.at += 1 + digits;
            return;
        }
        self.words.push(ShellWord { text, range: start..self.at });
    }

    fn skip_heredocs(&mut self) {
        for delimiter in std::mem::take(&mut self.heredocs) {
            while self.at < self.script.len() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                let is_end = line.trim_start_matches('\t') == delimiter;
                self.at = (self.at + line.len() + 1).min(self.script.len());
                if is_end {
                    break;
                }
            }
        }
    }

    /// One word, with its quotes taken off.
    fn word(&mut self) {
        let start = self.at;
        let mut text = String::new();
        while let Some(next) = self.peek() {
            if let Some(length) = placeholder(self.rest()) {
                text.push_str(&self.script[self.at..self.at + length]);
                self.at += length;
                continue;
            }
            match next {
                '\'' => self.single_quoted(&mut text),
                '"' => self.double_quoted(&mut text),
                '\\' => self.escaped(&mut text),
                '$' if self.rest().starts_with("$(") => self.substitution(&mut text),
                '`' => self.backticks(&mut text),
                _ if next.is_whitespace() || ";|&()<>".contains(next) => break,
                _ => {
                    text.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
        // A character that begins no word and ends none: go on behind it, or this would never end.
        if self.at == start {
            self.at += self.peek().map_or(0, char::len_utf8);
            return;
        }
        self.words.push(ShellWord { text, range: start..self.at });
    }

    fn single_quoted(&mut self, text: &mut String) {
        let inside = &self.script[self.at + 1..];
        let end = inside.find('\'').unwrap_or(inside.len());
        text.push_str(&inside[..end]);
        self.at = (self.at + end + 2).min(self.script.len());
    }

    fn double_quoted(&mut self, text: &mut String) {
        self.at += 1;
        while let Some(next) = self.peek() {
            match next {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => self.escaped(text),
                '$' if self.rest().starts_with("$(") => self.substitution(text),
                _ => {
                    text.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
    }

    fn escaped(&mut self, text: &mut String) {
        self.at += 1;
        if let Some(next) = self.peek() {
            self.at += next.len_utf8();
            if next != '\n' {
                text.push(next);
            }
        }
    }

    /// `$( … )`: its commands count, and the word keeps it as it is written.
    fn substitution(&mut self, text: &mut String) {
        let inside = self.at + 2;
        let mut depth = 1_usize;
        let mut end = self.script.len();
        for (at, character) in self.script[inside..].char_indices() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = inside + at;
                break;
            }
        }
        let found = if self.depth < DEEPEST {
            commands_within(&self.script[inside..end], self.depth + 1)
        } else {
            Vec::new()
        };
        for command in found {
            let moved = command
                .into_iter()
                .map(|word| ShellWord { range: word.range.start + inside..word.range.end + inside, ..word });
            self.done.push(moved.collect());
        }
        let after = (end + 1).min(self.script.len());
        text.push_str(&self.script[self.at..after]);
        self.at = after;
    }

    fn backticks(&mut self, text: &mut String) {
        let inside = &self.script[self.at + 1..];
        let end = self.at + 1 + inside.find('`').map_or(inside.len(), |end| end + 1);
        text.push_str(&self.script[self.at..end]);
        self.at = end;
    }
}

/// The length of a `<like-this>` at the start of a text: what guides write where a value belongs, and never a
/// redirection that anybody meant.
pub(super) fn placeholder(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let end = inside.find('>')?;
    let name = &inside[..end];
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_name.then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<Vec<String>> {
        commands(script)
            .into_iter()
            .map(|command| command.into_iter().map(|word| word.text).collect())
            .collect()
    }

    #[test]
    fn commands_are_told_apart_and_quotes_come_off() {
        let cases: [(&str, &[&[&str]]); 12] = [
            ("a b; c 'd e'&& f \"g h\"", &[&["a", "b"], &["c", "d e"], &["f", "g h"]]),
            ("# none\na # b\nc", &[&["a"], &["c"]]),
            ("a \\\n  b", &[&["a", "b"]]),
            ("a | b > /etc/c 2>&1", &[&["a"], &["b", ">", "/etc/c", "2"]]),
            ("cat <<EOF > x\nrm -rf /\nEOF\nls", &[&["cat", ">", "x"], &["ls"]]),
            ("cat <<-'EOF'\n\tapt-get upgrade x\n\tEOF\nls", &[&["cat"], &["ls"]]),
            ("x=$(apt-mark kubelet) y", &[&["apt-mark", "kubelet"], &["x=$(apt-mark kubelet)", "y"]]),
            ("kubectl drain <node-to-drain> --x", &[&["kubectl", "drain", "<node-to-drain>", "--x"]]),
            ("(a; b)", &[&["a"], &["b"]]),
            ("a=\"$V\" b\\ c", &[&["a=$V", "b c"]]),
            ("echo 'open", &[&["echo", "open"]]),
            ("a `b c` d", &[&["a", "`b c`", "d"]]),
        ];
        for (script, expected) in cases {
            assert_eq!(texts(script), expected, "{script:?}");
        }
    }

    #[test]
    fn every_word_knows_its_place() {
        let script = "set -e\nx=$(apt-mark  'kubelet')\n";
        let found = commands(script);
        let places: Vec<&str> = found.iter().flatten().map(|word| &script[word.range.clone()]).collect();
        assert_eq!(places, ["set", "-e", "apt-mark", "'kubelet'", "x=$(apt-mark  'kubelet')"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_the_reading_ends(script in "[a$()<>|&;'\"`\\\\\n #é{}-]{0,60}") {
            for word in commands(&script).into_iter().flatten() {
                assert!(script.get(word.range).is_some());
            }
        }
    }
}
