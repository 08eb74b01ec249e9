//! The one filter before every sink: takes secret values out of text and of streams, also where a value is cut in two.
//!
//! A secret is known in every form in which tools print it as it is: whole, line by line, escaped for people, inside
//! JSON, and in base64 at any offset (a `Secret` of Kubernetes, a basic-auth header). What a command makes of it
//! otherwise (a digest, another encryption, one character per line) cannot be told from other text.

use crate::value::escape;

/// Knows every secret value; shown as `‹redacted›`.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// The longest first.
    secrets: Vec<Vec<u8>>,
}

const MARK: &str = "‹redacted›";
/// Below this, redaction would cut ordinary text to pieces.
pub(super) const SHORTEST: usize = 8;

impl Redactor {
    /// A filter for these values, and for each of their lines of 8 bytes or more: tools print secrets line by line.
    pub fn new<'s>(secrets: impl Iterator<Item = &'s str>) -> Self {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            for part in std::iter::once(secret).chain(secret.lines()) {
                found.push(part.as_bytes().to_vec());
                found.push(part.trim().as_bytes().to_vec());
                // What is shown to people was trimmed and escaped before it comes here.
                found.push(escape(part.trim()).into_bytes());
                found.push(json_escaped(part));
                found.extend(base64_forms(part.as_bytes()));
            }
        }
        found.retain(|secret| secret.len() >= SHORTEST);
        found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        Self { secrets: found }
    }

    /// Whether there is no secret at all.
    pub(super) fn knows_nothing(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Text without secrets.
    pub fn text(&self, text: &str) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        let mut stream = RedactedStream::default();
        let mut out = stream.push(self, text.as_bytes());
        out.extend(stream.finish(self));
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Text without secrets from which something was left out where a line is a note of that: a secret may have been
    /// cut in two there.
    pub(super) fn cut_text(&self, text: &str, is_note: impl Fn(&str) -> bool) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let (mut from, mut at) = (0, 0);
        let mut after_note = false;
        for line in text.split_inclusive('\n') {
            let end = at + line.len();
            if is_note(line.trim_end_matches('\n')) {
                out += &self.piece(&text[from..at], after_note, true);
                out += line;
                (from, after_note) = (end, true);
            }
            at = end;
        }
        out + &self.piece(&text[from..], after_note, false)
    }

    /// A piece of text without secrets and without the part of one at an end that was cut.
    fn piece(&self, text: &str, cut_before: bool, cut_after: bool) -> String {
        let (mut piece, mut first, mut last) = (text.as_bytes(), "", String::new());
        if cut_after {
            // The note stands on a line of its own; and a character may have been cut in two as well.
            let kept = text.strip_suffix('\n').unwrap_or(text).trim_end_matches('\u{fffd}').as_bytes();
            let begun = self.longest_part(|secret, length| kept.ends_with(&secret[..length]));
            piece = &kept[..kept.len() - begun];
            let line_end = if text.ends_with('\n') { "\n" } else { "" };
            last = format!("{}{line_end}", if begun > 0 { MARK } else { "" });
        }
        if cut_before {
            while let Some(rest) = piece.strip_prefix("\u{fffd}".as_bytes()) {
                piece = rest;
            }
            let rest =
                self.longest_part(|secret, length| piece.starts_with(&secret[secret.len() - length..]));
            piece = &piece[rest..];
            first = if rest > 0 { MARK } else { "" };
        }
        format!("{first}{}{last}", self.text(&String::from_utf8_lossy(piece)))
    }

    /// The length of the longest part of a secret, less than the whole, for which `is_there` holds.
    fn longest_part(&self, is_there: impl Fn(&[u8], usize) -> bool) -> usize {
        let parts = self.secrets.iter().flat_map(|secret| {
            (1..secret.len()).filter(|length| is_there(secret, *length)).collect::<Vec<_>>()
        });
        parts.max().unwrap_or(0)
    }

    /// The length of the longest secret at the beginning of `bytes`.
    fn secret_at(&self, bytes: &[u8]) -> Option<usize> {
        self.secrets.iter().find(|secret| bytes.starts_with(secret)).map(Vec::len)
    }

    /// Whether these bytes, the last that came, may be the beginning of a longer secret.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        self.secrets.iter().any(|secret| secret.len() > bytes.len() && secret.starts_with(bytes))
    }
}

/// As it stands between the quotes of a JSON string.
fn json_escaped(text: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.as_bytes()[1..quoted.len() - 1].to_vec()
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What base64 of any text that holds these bytes holds: three forms, by the offset in the text, without the
/// characters at both ends that depend on the neighbours.
fn base64_forms(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    [STANDARD, URL_SAFE].into_iter().flat_map(move |alphabet| {
        (0..3).map(move |offset| {
            let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(bytes.iter().copied()).collect();
            let bits = |index: usize| {
                let byte = |at: usize| u32::from(padded.get(at).copied().unwrap_or(0));
                let group = index / 4 * 3;
                let word = byte(group) << 16 | byte(group + 1) << 8 | byte(group + 2);
                alphabet[(word >> (18 - 6 * (index % 4)) & 63) as usize]
            };
            // A character of six bits is certain when all of them are the secret's.
            let first = (offset * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            (first..end).map(bits).collect()
        })
    })
}

/// Filters a stream that arrives in pieces. Holds back what may be the beginning of a secret.
#[derive(Debug, Default)]
pub(super) struct RedactedStream {
    held: Vec<u8>,
    /// So many bytes at the beginning of `held` belong to a secret whose mark was given already.
    hidden: usize,
}

impl RedactedStream {
    /// Takes a piece and gives what is certain.
    pub(super) fn push(&mut self, redactor: &Redactor, bytes: &[u8]) -> Vec<u8> {
        if redactor.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        self.give(redactor, |rest| redactor.may_begin(rest))
    }

    /// Whether all that came was given.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// The end of the stream: what was held back is no longer the beginning of anything.
    pub(super) fn finish(&mut self, redactor: &Redactor) -> Vec<u8> {
        self.give(redactor, |_| false)
    }

    /// Gives what is held, up to where `wait` says that more has to come first. Secrets that overlap are one mark: what
    /// is left of the second would be a part of it.
    fn give(&mut self, redactor: &Redactor, wait: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let longest = redactor.secrets.first().map_or(0, Vec::len);
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            if rest.len() < longest && wait(rest) {
                break;
            }
            if let Some(length) = redactor.secret_at(rest) {
                if self.hidden <= at {
                    out.extend_from_slice(MARK.as_bytes());
                }
                self.hidden = self.hidden.max(at + length);
            }
            if self.hidden <= at {
                out.push(rest[0]);
            }
            at += 1;
        }
        self.held.drain(..at);
        self.hidden = self.hidden.saturating_sub(at);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().copied())
    }

    #[test]
    fn a_secret_is_found_wherever_the_stream_is_cut() {
        let cases: [(&[&str], &str, &str); 5] = [
            (
                &["hunter2hunter2"],
                "user=a pass=hunter2hunter2 hunter2 end",
                "user=a pass=‹redacted› hunter2 end",
            ),
            // One is the beginning of the other, and is not taken for it.
            (
                &["swordfish", "swordfish-and-more"],
                "a swordfish-and-more b swordfish-an",
                "a ‹redacted› b ‹redacted›-an",
            ),
            // Two that overlap leave nothing of either.
            (&["aaaabbbbcccc", "ccccddddeeee"], "x aaaabbbbccccddddeeee y", "x ‹redacted› y"),
            (&["hunter2hunter2"], "hunter2hunter2hunter2hunter2", "‹redacted›"),
            (&["swordfish"], "swordfishswordfish", "‹redacted›‹redacted›"),
        ];
        for (secrets, text, expected) in cases {
            let redactor = redactor(secrets);
            for first in 0..text.len() {
                for second in first..text.len() {
                    let mut stream = RedactedStream::default();
                    let mut out = stream.push(&redactor, &text.as_bytes()[..first]);
                    out.extend(stream.push(&redactor, &text.as_bytes()[first..second]));
                    out.extend(stream.push(&redactor, &text.as_bytes()[second..]));
                    out.extend(stream.finish(&redactor));
                    assert_eq!(String::from_utf8_lossy(&out), expected, "cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn every_long_line_of_a_secret_is_one() {
        let redactor = redactor(&["-----BEGIN-----\nMIIEvQIBADAN\nab\n"]);
        assert_eq!(redactor.text("line MIIEvQIBADAN, short ab"), "line ‹redacted›, short ab");
    }

    #[test]
    fn a_secret_is_found_in_the_forms_in_which_tools_print_it() {
        let redactor = redactor(&["tab\there \"and\" more "]);
        assert_eq!(redactor.text("got tab\there \"and\" more "), "got ‹redacted›");
        assert_eq!(redactor.text(&escape("got tab\there \"and\" more")), "got ‹redacted›");
        assert_eq!(redactor.text(r#"{"got":"tab\there \"and\" more "}"#), r#"{"got":"‹redacted›"}"#);
    }

    #[test]
    fn a_secret_is_found_in_base64_at_any_offset() {
        // What base64 prints for correct-horse-battery-staple after 0, 1 and 2 other characters.
        let redactor = redactor(&["correct-horse-battery-staple"]);
        for text in [
            "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==",
            "OmNvcnJlY3QtaG9yc2UtYmF0dGVyeS1zdGFwbGU=",
            "dTpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl",
        ] {
            let clean = redactor.text(text);
            assert!(clean.contains(MARK) && clean.len() <= MARK.len() + 7, "{text}: {clean}");
        }
    }

    #[test]
    fn no_part_of_a_secret_stands_at_a_cut() {
        let secret = "pä\"correct-horse-battery";
        let redactor = redactor(&[secret]);
        let note = "[9 bytes left out]";
        for cut in 0..=secret.len() {
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (begun, rest) = (lossy(&secret.as_bytes()[..cut]), lossy(&secret.as_bytes()[cut..]));
            let text = format!("a {begun}\n{note}\n{rest} z");
            let clean = redactor.cut_text(&text, |line| line == note);
            let parts: Vec<&str> = clean.split(&format!("\n{note}\n")).collect();
            let [before, after] = parts.as_slice() else { panic!("cut at {cut}: {clean}") };
            assert!(["a ", "a ‹redacted›"].contains(before), "cut at {cut}: {clean}");
            assert!([" z", "‹redacted› z"].contains(after), "cut at {cut}: {clean}");
        }
        // A note that a host prints itself does not hide the true one.
        let text = format!("{note}\npä\"correct-horse-bat\n{note}\n");
        assert_eq!(redactor.cut_text(&text, |line| line == note), format!("{note}\n‹redacted›\n{note}\n"));
        assert_eq!(redactor.cut_text(secret, |line| line == note), MARK);
    }

    #[test]
    fn without_secrets_nothing_is_copied_twice() {
        assert_eq!(Redactor::default().text("as it is"), "as it is");
    }
}
