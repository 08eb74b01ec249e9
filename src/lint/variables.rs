//! What the variables of a shell script hold, where the script or its environment writes that out and says nothing else
//! anywhere. Pure.

use std::collections::HashMap;

use super::shell::ShellWord;

/// The variables of a script; `None` where it depends on the run.
pub(super) struct Variables(HashMap<String, Option<String>>);

/// `NAME` and `value` of `NAME=value`.
pub(super) fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

impl Variables {
    pub(super) fn new<'s>(commands: &[Vec<ShellWord>], env: impl Iterator<Item = (&'s str, String)>) -> Self {
        let mut variables = Self(env.map(|(name, value)| (name.to_owned(), Some(value))).collect());
        for command in commands {
            variables.read(command);
        }
        variables
    }

    fn read(&mut self, command: &[ShellWord]) {
        const DECLARE: [&str; 5] = ["export", "readonly", "local", "declare", "typeset"];
        const KEYWORDS: [&str; 9] = ["if", "then", "elif", "else", "do", "while", "until", "!", "{"];
        let keywords = command.iter().take_while(|word| KEYWORDS.contains(&word.text.as_str())).count();
        let command = &command[keywords..];
        let first = command.first().map(|word| word.text.as_str()).unwrap_or_default();
        if ["for", "read", "mapfile", "readarray", "unset", "getopts"].contains(&first) {
            for word in &command[1..] {
                self.0.insert(word.text.clone(), None);
            }
        }
        let skipped = usize::from(DECLARE.contains(&first));
        for word in &command[skipped..] {
            let Some((name, value)) = assignment(&word.text) else { break };
            self.set(name, value);
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let value = self.fill(value);
        // Quotes are gone by now, so what looks like a variable may be none; an empty value fills no hole.
        let value = Some(value).filter(|value| !value.is_empty() && !value.contains(['$', '`']));
        let known = self.0.entry(name.to_owned()).or_insert_with(|| value.clone());
        if *known != value {
            *known = None;
        }
    }

    /// A word with `$NAME` and `${NAME}` filled in where that is certain.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            let (braced, inside) = after.strip_prefix('{').map_or((false, after), |inside| (true, inside));
            let length =
                inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let (name, behind) = inside.split_at(length);
            let behind = if braced { behind.strip_prefix('}') } else { Some(behind) };
            match (self.0.get(name), behind) {
                (Some(Some(value)), Some(behind)) => {
                    filled.push_str(value);
                    rest = behind;
                }
                _ => {
                    filled.push('$');
                    rest = after;
                }
            }
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::shell::commands;

    #[test]
    fn a_variable_is_filled_in_where_a_script_leaves_no_doubt() {
        let cases = [
            ("V=1.31.4; echo", "kubeadm=$V-1.1", "kubeadm=1.31.4-1.1"),
            ("export V=1; W=${V}.2", "a$W", "a1.2"),
            ("V=1; if x; then V=2; fi", "$V", "$V"),
            ("V=1; V=1", "${V}", "1"),
            ("V=$(date)", "$V", "$V"),
            ("V=", "a/$V/b", "a/$V/b"),
            ("for V in a b; do echo; done; V=1", "$V", "$V"),
            ("read V; V=1", "$V", "$V"),
            ("V=1", "${V:-2} $W $ $(V)", "${V:-2} $W $ $(V)"),
            ("", "$FROM_ENV", "set"),
            ("FROM_ENV=${FROM_ENV:-x}", "$FROM_ENV", "$FROM_ENV"),
        ];
        for (script, word, expected) in cases {
            let env = [("FROM_ENV", "set".to_owned())].into_iter();
            assert_eq!(Variables::new(&commands(script), env).fill(word), expected, "{script}: {word}");
        }
    }
}
