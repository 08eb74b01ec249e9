//! The one filter before every sink: takes secret values out of text and of streams, also where a value is cut in two.

use super::output::escape;

/// Knows every secret value; shown as `‹redacted›`.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<Vec<u8>>,
}

const MARK: &[u8] = "‹redacted›".as_bytes();

impl Redactor {
    /// A filter for these values, and for each of their lines of 8 bytes or more: tools print secrets line by line. What
    /// is shown to people was trimmed and escaped before it comes here, so each is known in that form too.
    pub fn new<'s>(secrets: impl Iterator<Item = &'s str>) -> Self {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            for part in std::iter::once(secret).chain(secret.lines()) {
                found.push(part.as_bytes().to_vec());
                found.push(escape(part.trim()).into_bytes());
            }
        }
        found.retain(|secret| secret.len() >= 8);
        // The longest first, so that a part never leaves the rest of the whole standing.
        found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        found.dedup();
        Self { secrets: found }
    }

    /// Text without secrets.
    pub fn text(&self, text: &str) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        let mut stream = Stream::default();
        let mut out = stream.push(self, text.as_bytes());
        out.extend(stream.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    fn longest(&self) -> usize {
        self.secrets.first().map_or(0, Vec::len)
    }
}

/// Filters a stream that arrives in pieces. Holds back what may be the beginning of a secret.
#[derive(Debug, Default)]
pub(super) struct Stream {
    held: Vec<u8>,
}

impl Stream {
    /// Takes a piece and gives what is certain.
    pub(super) fn push(&mut self, redactor: &Redactor, bytes: &[u8]) -> Vec<u8> {
        if redactor.secrets.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            if let Some(secret) = redactor.secrets.iter().find(|secret| rest.starts_with(secret)) {
                out.extend_from_slice(MARK);
                at += secret.len();
            } else if rest.len() < redactor.longest()
                && redactor.secrets.iter().any(|secret| secret.starts_with(rest))
            {
                break;
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
        self.held.drain(..at);
        out
    }

    /// The end of the stream: what was held back was no whole secret.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_the_stream_is_cut() {
        let redactor = Redactor::new(["hunter2hunter2"].into_iter());
        let text = "user=a pass=hunter2hunter2 hunter2 end";
        for first in 0..text.len() {
            for second in first..text.len() {
                let mut stream = Stream::default();
                let mut out = stream.push(&redactor, &text.as_bytes()[..first]);
                out.extend(stream.push(&redactor, &text.as_bytes()[first..second]));
                out.extend(stream.push(&redactor, &text.as_bytes()[second..]));
                out.extend(stream.finish());
                assert_eq!(
                    String::from_utf8_lossy(&out),
                    "user=a pass=‹redacted› hunter2 end",
                    "cut at {first} and {second}"
                );
            }
        }
    }

    #[test]
    fn every_long_line_of_a_secret_is_one() {
        let redactor = Redactor::new(["-----BEGIN-----\nMIIEvQIBADAN\nab\n"].into_iter());
        assert_eq!(redactor.text("line MIIEvQIBADAN, short ab"), "line ‹redacted›, short ab");
    }

    #[test]
    fn a_secret_is_found_as_it_is_shown_to_people() {
        let redactor = Redactor::new(["tab\there and more "].into_iter());
        assert_eq!(redactor.text("got tab\there and more "), "got ‹redacted›");
        assert_eq!(redactor.text(&escape("got tab\there and more")), "got ‹redacted›");
    }

    #[test]
    fn without_secrets_nothing_is_copied_twice() {
        assert_eq!(Redactor::default().text("as it is"), "as it is");
    }
}
