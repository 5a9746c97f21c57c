//! Just enough of Rust's grammar to see which paths a file names: comments, strings, `use` trees, modules.

/// A source text taken apart: the code with everything else blanked (same lines, same columns), and its string literals.
pub(crate) struct Source {
    pub(crate) code: String,
    pub(crate) strings: Vec<Literal>,
}

/// The inside of a string literal and the line it begins on.
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A path as written, with `use` trees spread out: `use a::{b, c::*}` gives `a::b` and `a::c::*`.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// The inline modules around it, outermost first: `super` counts from there.
    pub(crate) inside: Vec<String>,
    pub(crate) imported: bool,
}

/// The text up to its own tests: an inline `mod` under `#[cfg(test)]` at the margin, which stands last by our order of items.
pub(crate) fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text[from..].find("\n#[cfg(test)]") {
        let at = from + found + 1;
        let mut item = text[at..]
            .lines()
            .skip(1)
            .skip_while(|line| line.starts_with("#["));
        if item
            .next()
            .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        {
            return &text[..at];
        }
        from = at;
    }
    text
}

pub(crate) fn take_apart(text: &str) -> Source {
    let chars: Vec<char> = text.chars().collect();
    let mut source = Source {
        code: String::with_capacity(text.len()),
        strings: Vec::new(),
    };
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let rest = &chars[at..];
        let in_a_word = at > 0 && is_word(chars[at - 1]);
        let length = if rest.starts_with(&['/', '/']) {
            rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
        } else if rest.starts_with(&['/', '*']) {
            block_comment(rest)
        } else if let Some((open, close, end)) = string(rest).filter(|_| !in_a_word) {
            source.strings.push(Literal {
                line,
                text: rest[open..close].iter().collect(),
            });
            end
        } else {
            character(rest).unwrap_or(0)
        };
        let blanked = rest
            .iter()
            .take(length)
            .map(|c| if *c == '\n' { '\n' } else { ' ' });
        source
            .code
            .extend(blanked.chain(rest.first().copied().filter(|_| length == 0)));
        let end = at + length.max(1);
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    source
}

/// Every path that the code names; a lone word is a path of one segment, so keywords are found here too.
pub(crate) fn named_paths(code: &str) -> Vec<Named> {
    let mut reader = Reader {
        tokens: tokens(code),
        at: 0,
        modules: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    while reader.at < reader.tokens.len() {
        reader.step();
    }
    reader.found
}

struct Reader<'a> {
    tokens: Vec<(usize, &'a str)>,
    at: usize,
    /// Open inline modules, each with the depth of braces inside it.
    modules: Vec<(String, usize)>,
    depth: usize,
    found: Vec<Named>,
}

impl<'a> Reader<'a> {
    fn step(&mut self) {
        match self.peek(0) {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.modules.retain(|(_, depth)| *depth <= self.depth);
            }
            "mod" if self.peek(2) == "{" => {
                self.modules.push((self.peek(1).to_owned(), self.depth + 1));
                self.at += 1;
            }
            "use" if self.peek(1) != "<" => {
                self.at += 1;
                return self.use_tree(&[]);
            }
            token if is_name(token) => return self.path(),
            _ => {}
        }
        self.at += 1;
    }

    /// `a::b::c` in the midst of code; stops at generics, of which each argument is a path of its own.
    fn path(&mut self) {
        let line = self.tokens[self.at].0;
        let mut segments = vec![self.peek(0).to_owned()];
        while self.peek(1) == "::" && is_name(self.peek(2)) {
            segments.push(self.peek(2).to_owned());
            self.at += 2;
        }
        self.at += 1;
        self.keep(line, segments, false);
    }

    /// One branch of a `use`, up to the `,`, `}` or `;` that ends it.
    fn use_tree(&mut self, prefix: &[String]) {
        let line = self.tokens.get(self.at).map_or(0, |(line, _)| *line);
        let mut segments = prefix.to_vec();
        loop {
            match self.peek(0) {
                "::" | "$" => {}
                "{" => return self.use_group(&segments),
                "as" => self.at += 1,
                "self" if !prefix.is_empty() => {}
                token if is_name(token) || token == "*" => segments.push(token.to_owned()),
                _ => return self.keep(line, segments, true),
            }
            self.at += 1;
        }
    }

    fn use_group(&mut self, prefix: &[String]) {
        while !matches!(self.peek(0), "}" | "") {
            self.at += 1;
            if self.peek(0) != "}" {
                self.use_tree(prefix);
            }
        }
        self.at += 1;
    }

    fn keep(&mut self, line: usize, segments: Vec<String>, imported: bool) {
        if segments.is_empty() {
            return;
        }
        let inside = self.modules.iter().map(|(name, _)| name.clone()).collect();
        self.found.push(Named {
            line,
            segments,
            inside,
            imported,
        });
    }

    fn peek(&self, offset: usize) -> &'a str {
        self.tokens
            .get(self.at + offset)
            .map_or("", |(_, token)| token)
    }
}

/// Words, `::`, and every other character by itself, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((index + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match rest.get(at..at + 2) {
            Some(['/', '*']) => depth += 1,
            Some(['*', '/']) => depth -= 1,
            Some(_) => {
                at += 1;
                continue;
            }
            None => return rest.len(),
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
}

/// If a string literal begins here: where its inside begins, where that ends, and where the literal ends.
fn string(rest: &[char]) -> Option<(usize, usize, usize)> {
    let prefix = rest
        .iter()
        .take_while(|c| matches!(c, 'b' | 'c' | 'r'))
        .count();
    let raw = rest[..prefix].contains(&'r');
    let hashes = if raw {
        rest[prefix..].iter().take_while(|c| **c == '#').count()
    } else {
        0
    };
    if prefix > 2 || rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let open = prefix + hashes + 1;
    let mut at = open;
    while at < rest.len() {
        match rest[at] {
            '\\' if !raw => at += 1,
            '"' if rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes =>
            {
                return Some((open, at, at + 1 + hashes));
            }
            _ => {}
        }
        at += 1;
    }
    Some((open, rest.len(), rest.len()))
}

/// The length of a character literal, if one begins here and not a lifetime.
fn character(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', _, more @ ..] => Some(3 + more.iter().position(|c| *c == '\'')? + 1),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(code: &str) -> Vec<String> {
        named_paths(code)
            .iter()
            .filter(|named| named.imported)
            .map(|named| named.segments.join("::"))
            .collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let source = take_apart(
            "a /* b /* c */ d */ e // f\nlet g = r#\"h\"i\"#; \"j\\\"k\" '\"' '\\'' 'l: m\n",
        );
        let words: Vec<&str> = source.code.split_whitespace().collect();
        assert_eq!(words, ["a", "e", "let", "g", "=", ";", "'l:", "m"]);
        let strings: Vec<&str> = source
            .strings
            .iter()
            .map(|literal| literal.text.as_str())
            .collect();
        assert_eq!(strings, ["h\"i", "j\\\"k"]);
    }

    #[test]
    fn a_literal_knows_its_line() {
        assert_eq!(take_apart("\n\n  \"here\"").strings[0].line, 3);
    }

    #[test]
    fn use_trees_are_spread_out_over_lines() {
        let code = "use crate::{\n    domain::{alert::Alert as A, retry::*},\n    ports::{self, Clock,},\n};\nuse std::fmt;";
        let expected = [
            "crate::domain::alert::Alert",
            "crate::domain::retry::*",
            "crate::ports",
            "crate::ports::Clock",
            "std::fmt",
        ];
        assert_eq!(imported(code), expected);
        assert_eq!(
            imported("use ::a; use $crate::b; fn f() -> impl use<'c> D {}"),
            ["a", "crate::b"]
        );
    }

    #[test]
    fn paths_in_code_are_found_with_their_generics_and_modules() {
        let code =
            "mod outer { fn f() { Vec::<crate::domain::Alert>::new(); } }\nfn g() { super::h() }";
        let found = named_paths(code);
        let alert = found
            .iter()
            .find(|named| named.segments.len() == 3)
            .unwrap();
        assert_eq!(
            (alert.segments.join("::").as_str(), alert.inside.as_slice()),
            ("crate::domain::Alert", &["outer".to_owned()][..])
        );
        let up = found
            .iter()
            .find(|named| named.segments[0] == "super")
            .unwrap();
        assert_eq!((up.line, up.inside.len()), (2, 0));
    }

    #[test]
    fn only_the_tests_at_the_end_are_cut_off() {
        let text = "fn a() {}\n#[cfg(test)]\nmod beside;\nfn b() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        assert!(without_tests(text).ends_with("fn b() {}\n"));
    }
}
