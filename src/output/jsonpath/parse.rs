//! Reads a template into nodes, and refuses what client-go refuses, in its words.

use serde_json::Value;

use super::quote::unquote;

/// One step of an expression in braces. Each takes the values that the one before it found.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Range,
    End,
    /// Stands alone, whatever was found before it.
    Text(String),
    /// A number or a boolean, for each value that was found before it.
    Constant(Value),
    Name(String),
    Wildcard,
    Descend,
    Index(i64),
    Slice(Option<i64>, Option<i64>, Option<i64>),
    Union(Vec<Vec<Node>>),
    Filter(Vec<Node>, Option<Test>),
}

/// What the left side of a filter is compared with; without, it has to exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    pub operator: &'static str,
    pub right: Vec<Node>,
}

const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// The parts of a template: each text, and each expression in braces.
pub fn parse(template: &str) -> Result<Vec<Vec<Node>>, String> {
    let mut reader = Reader { text: template, at: 0 };
    let mut parts = Vec::new();
    while reader.peek().is_some() {
        let text = reader.take_while(|c| c != '{');
        if !text.is_empty() {
            parts.push(vec![Node::Text(text.to_owned())]);
        }
        if reader.next().is_some() {
            parts.push(reader.action()?);
        }
    }
    Ok(parts)
}

/// Reads `text` as if braces were around it.
fn action(text: &str) -> Result<Vec<Node>, String> {
    Reader { text: &format!("{text}}}"), at: 0 }.action()
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// What is in braces, up to the closing one. Spaces, `@` and `$` stand for the current value
    /// wherever they are, so `{.a .b}` is `{.a.b}`.
    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with("[?(") {
                nodes.push(self.filter()?);
                continue;
            }
            if rest.starts_with("..") {
                self.descend(&mut nodes)?;
                continue;
            }
            match self.peek() {
                None | Some('\r' | '\n') => return Err("unclosed action".to_owned()),
                Some(c) if c == '+' || c == '-' || c.is_numeric() => nodes.push(self.number()?),
                Some(c) if c == '_' || c.is_alphabetic() => nodes.push(self.word()?),
                Some(c) => {
                    self.next();
                    match c {
                        '}' => return Ok(nodes),
                        ' ' | '@' | '$' => {}
                        '[' => self.brackets(&mut nodes)?,
                        '"' | '\'' => nodes.push(Node::Text(self.quoted(c)?)),
                        '.' => nodes.push(self.field()),
                        other => return Err(unrecognized(other)),
                    }
                }
            }
        }
    }

    fn descend(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        if nodes.last() == Some(&Node::Descend) {
            return Err("invalid multiple recursive descent".to_owned());
        }
        self.at += "..".len();
        nodes.push(Node::Descend);
        if self.peek().is_some_and(|c| c == '_' || c.is_alphanumeric()) {
            nodes.push(self.field());
        }
        Ok(())
    }

    /// A name after its dot; a backslash makes what follows part of it.
    fn field(&mut self) -> Node {
        let start = self.at;
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.next();
            } else if is_terminator(c) {
                break;
            }
            self.next();
        }
        match &self.text[start..self.at] {
            "*" => Node::Wildcard,
            name => Node::Name(name.replace('\\', "")),
        }
    }

    fn word(&mut self) -> Result<Node, String> {
        match self.take_while(|c| !is_terminator(c)) {
            "range" => Ok(Node::Range),
            "end" => Ok(Node::End),
            "true" => Ok(Node::Constant(Value::Bool(true))),
            "false" => Ok(Node::Constant(Value::Bool(false))),
            other => Err(format!("unrecognized identifier {other}")),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        let start = self.at;
        self.next();
        self.take_while(|c| c == '.' || c.is_numeric());
        let text = &self.text[start..self.at];
        let whole = text.parse::<i64>().map(Value::from).ok();
        let number = || text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from);
        whole.or_else(number).map(Node::Constant).ok_or_else(|| format!("cannot parse number {text}"))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let start = self.at;
        loop {
            let before = self.at;
            match self.next() {
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(c) if c == quote && !self.text[..before].ends_with('\\') => {
                    let inside = &self.text[start..before];
                    return unquote(inside, quote).ok_or_else(|| {
                        format!("unquote string {quote}{inside}{quote} error invalid syntax")
                    });
                }
                Some(_) => {}
            }
        }
    }

    /// After `[`: an index, a slice, a name in single quotes, or several of them.
    fn brackets(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let inside = self.take_while(|c| c != ']' && c != '\n');
        if self.next() != Some(']') {
            return Err("unterminated array".to_owned());
        }
        if inside.contains(',') {
            let members = inside.split(',').map(|member| action(&format!("[{}]", member.trim_matches(' '))));
            nodes.push(Node::Union(members.collect::<Result<_, _>>()?));
        } else if let Some(path) = single_quoted(inside) {
            // To kubectl, dots in such a name are dots of a path, unless a backslash is before them.
            nodes.extend(action(&format!(".{path}"))?);
        } else {
            nodes.push(slice(if inside == "*" { ":" } else { inside })?);
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        self.at += "[?(".len();
        let start = self.at;
        let (mut opened, mut closed) = (None, false);
        let end = loop {
            let before = self.at;
            match self.next() {
                None | Some('\n') => return Err("unterminated filter".to_owned()),
                Some(c @ ('"' | '\'')) if opened.is_none() => opened = Some(c),
                Some(c) if Some(c) == opened => closed |= !self.text[..before].ends_with('\\'),
                // A parenthesis in quotes is text.
                Some(')') if opened.is_some() == closed => break before,
                Some(_) => {}
            }
        };
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        let text = &self.text[start..end];
        let Some((left, operator, right)) = comparison(text) else {
            return Ok(Node::Filter(action(text)?, None));
        };
        let (left, right) = (action(left)?, action(right)?);
        let operator = OPERATORS
            .into_iter()
            .find(|known| *known == operator)
            .ok_or_else(|| format!("unrecognized filter operator {operator}"))?;
        Ok(Node::Filter(left, Some(Test { operator, right })))
    }
}

/// Takes a filter apart at its first operator, as client-go's `^([^!<>=]+)([!<>=]+)(.+?)$` does.
fn comparison(text: &str) -> Option<(&str, &str, &str)> {
    let is_operator = |c: char| "!<>=".contains(c);
    let at = text.find(is_operator).filter(|at| *at > 0)?;
    let (left, rest) = text.split_at(at);
    let length = rest.find(|c| !is_operator(c)).unwrap_or(rest.len() - 1);
    let (operator, right) = rest.split_at(length);
    (!operator.is_empty()).then_some((left, operator, right))
}

fn single_quoted(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inside.contains('\'')).then_some(inside)
}

fn slice(text: &str) -> Result<Node, String> {
    let bounds: Vec<&str> = text.split(':').collect();
    let is_bound =
        |bound: &&str| bound.strip_prefix('-').unwrap_or(bound).chars().all(|c| c.is_ascii_digit());
    if bounds.len() > 3 || !bounds.iter().all(is_bound) {
        return Err(format!("invalid array index {text}"));
    }
    let number = |at: usize| match bounds.get(at) {
        None | Some(&"") => Ok(None),
        Some(bound) => {
            bound.parse::<i64>().map(Some).map_err(|_| format!("array index {bound} is not a number"))
        }
    };
    let (start, end, step) = (number(0)?, number(1)?, number(2)?);
    match step {
        _ if bounds.len() == 1 => Ok(Node::Index(start.unwrap_or(0))),
        Some(..=0) => Err("step must be > 0".to_owned()),
        step => Ok(Node::Slice(start, end, step)),
    }
}

fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

fn unrecognized(c: char) -> String {
    let code = format!("unrecognized character in action: U+{:04X}", u32::from(c));
    if c.is_control() { code } else { format!("{code} '{c}'") }
}
