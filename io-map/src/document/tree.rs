//! The brackets of a document, and what stands between their commas.
//!
//! It answers what ron does not say: which key an offset belongs to, where a value begins and ends, which bracket was never
//! closed, which key was given twice. It also bounds what ron is given: depth, and numbers that are finite.

use super::Problem;
use super::lex::{Kind, Token, token};
use std::ops::Range;

/// Deeper than any document of ours; ron recurses, so this bounds its stack.
const DEPTH_MAX: usize = 24;

/// A bracket and what is inside it. The whole document is one without brackets.
#[derive(Debug)]
pub(super) struct Node {
    bracket: char,
    /// From the opening bracket to the closing one, both included.
    pub(super) span: Range<usize>,
    /// The identifier before the bracket: the name of a struct or of an enum's variant.
    pub(super) name: Option<Range<usize>>,
    /// The bracket around it, and the place among its items. The document has none.
    parent: Option<(usize, usize)>,
    items: Vec<Item>,
}

/// What stands between two commas.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The key before the colon.
    pub(super) key: Option<Range<usize>>,
    /// From its first token to its comma.
    pub(super) span: Range<usize>,
    children: Vec<usize>,
    last: Range<usize>,
    tokens: usize,
}

/// All brackets of a document; the first is the document itself.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    tokens: Vec<Range<usize>>,
    /// Keys given twice and numbers that are none, for which reading need not stop.
    pub(super) problems: Vec<Problem>,
    /// The attribute at the start, if there is one.
    pub(super) attribute: Option<Range<usize>>,
}

impl Tree {
    /// Reads the brackets of `text` from byte `from`.
    ///
    /// # Errors
    /// A bracket, string or comment that is never closed, a bracket too many, nesting deeper than any document of ours.
    pub(super) fn read(text: &str, from: usize) -> Result<Self, Problem> {
        let document =
            Node { bracket: ' ', span: 0..text.len(), name: None, parent: None, items: vec![Item::default()] };
        let mut tree = Self { nodes: vec![document], tokens: Vec::new(), problems: Vec::new(), attribute: None };
        let mut open = vec![0];
        let (mut at, mut before) = (from, None);
        while let Some(next) = token(text, at)? {
            at = next.span.end;
            tree.tokens.push(next.span.clone());
            tree.take(text, &mut open, &next, before.as_ref())?;
            before = Some(next);
        }
        if let [_, .., innermost] = open[..] {
            let node = &tree.nodes[innermost];
            let message = format!("the `{}` opened here is never closed", node.bracket);
            return Err(Problem::at(node.span.start..node.span.start + 1, message)
                .help("the file may be cut off, or a closing bracket is missing"));
        }
        tree.find_duplicates(text);
        Ok(tree)
    }

    fn take(&mut self, text: &str, open: &mut Vec<usize>, next: &Token, before: Option<&Token>) -> Result<(), Problem> {
        let (depth, inside) = (open.len(), open[open.len() - 1]);
        match next.kind {
            Kind::Open(bracket) => {
                if depth > DEPTH_MAX {
                    let message = format!("brackets are nested deeper than {DEPTH_MAX} levels");
                    return Err(Problem::at(next.span.clone(), message));
                }
                let name = before.filter(|t| t.kind == Kind::Word && bracket == '(').map(|t| t.span.clone());
                self.extend(inside, &next.span);
                let (node, place) = (self.nodes.len(), self.nodes[inside].items.len() - 1);
                self.nodes[inside].items[place].children.push(node);
                let (span, parent) = (next.span.start..text.len(), Some((inside, place)));
                self.nodes.push(Node { bracket, span, name, parent, items: vec![Item::default()] });
                open.push(node);
            }
            Kind::Close(bracket) => {
                self.close(text, inside, bracket, &next.span)?;
                open.pop();
                self.extend(open[open.len() - 1], &next.span);
                self.end_attribute(open[open.len() - 1], next);
            }
            Kind::Comma => {
                self.extend(inside, &next.span);
                self.nodes[inside].items.push(Item::default());
            }
            Kind::Colon => self.colon(inside, &next.span),
            Kind::Word | Kind::Number | Kind::Text | Kind::Sign => {
                self.extend(inside, &next.span);
                if let Some(p) = not_finite(text, next) {
                    self.problems.push(p);
                }
            }
        }
        Ok(())
    }

    /// One more token of the item at hand.
    fn extend(&mut self, node: usize, span: &Range<usize>) {
        let Some(item) = self.nodes[node].items.last_mut() else { return };
        if item.tokens == 0 {
            item.span.start = span.start;
        }
        (item.span.end, item.last) = (span.end, span.clone());
        item.tokens += 1;
    }

    fn colon(&mut self, node: usize, span: &Range<usize>) {
        let list = self.nodes[node].bracket == '[';
        let Some(item) = self.nodes[node].items.last_mut() else { return };
        match item {
            Item { key: key @ None, tokens: 1, last, .. } => *key = Some(last.clone()),
            Item { key: Some(_), last, .. } if !list => {
                let help = "entries are separated by commas";
                self.problems.push(Problem::at(last.clone(), "a comma is missing before this").help(help));
            }
            _ => {}
        }
        self.extend(node, span);
    }

    fn close(&mut self, text: &str, node: usize, bracket: char, span: &Range<usize>) -> Result<(), Problem> {
        let node = &mut self.nodes[node];
        let wanted = match node.bracket {
            '(' => ')',
            '[' => ']',
            '{' => '}',
            _ => return Err(Problem::at(span.clone(), format!("this `{bracket}` closes nothing"))),
        };
        if wanted != bracket {
            let (line, column) = super::problem::place(text, node.span.start);
            let message = format!("expected `{wanted}`, found `{bracket}`");
            let help = format!("the `{}` to be closed stands at {line}:{column}", node.bracket);
            return Err(Problem::at(span.clone(), message).help(help));
        }
        node.span.end = span.end;
        Ok(())
    }

    /// `#![…]` at the very start is no part of the value.
    fn end_attribute(&mut self, node: usize, closed: &Token) {
        let starts = |item: &Item| item.tokens == 4 && item.children.len() == 1;
        if node == 0 && closed.kind == Kind::Close(']') && self.nodes[0].items.last().is_some_and(starts) {
            self.attribute = Some(self.nodes[0].items[0].span.clone());
        }
    }

    fn find_duplicates(&mut self, text: &str) {
        for node in self.nodes.iter().filter(|n| n.bracket != '[') {
            let mut keys: Vec<&Range<usize>> = node.items.iter().filter_map(|i| i.key.as_ref()).collect();
            keys.sort_by_key(|k| (&text[(*k).clone()], k.start));
            for pair in keys.windows(2) {
                let (first, second) = (&text[pair[0].clone()], &text[pair[1].clone()]);
                if first == second {
                    let (line, column) = super::problem::place(text, pair[0].start);
                    let message = format!("`{}` is given twice", second.trim_matches('"'));
                    let help = format!("it was first given at {line}:{column}: keep one of them");
                    self.problems.push(Problem::at(pair[1].clone(), message).help(help));
                }
            }
        }
    }

    /// The token at a byte, or the next one.
    pub(super) fn token_from(&self, offset: usize) -> Option<Range<usize>> {
        self.tokens.get(self.tokens.partition_point(|t| t.end <= offset)).cloned()
    }

    /// The innermost bracket around a byte, and the place among its items if the byte belongs to one.
    pub(super) fn around(&self, offset: usize) -> (usize, Option<usize>) {
        let mut node = 0;
        loop {
            let item = self.nodes[node].items.iter().position(|i| i.tokens > 0 && i.span.contains(&offset));
            let inside = |child: &&usize| self.nodes[**child].span.contains(&offset);
            match item.and_then(|i| self.nodes[node].items[i].children.iter().find(inside)) {
                Some(child) => node = *child,
                None => return (node, item),
            }
        }
    }

    /// The bracket itself.
    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// Whether it is the document's own bracket.
    pub(super) fn is_top(&self, node: usize) -> bool {
        self.nodes[node].parent.is_none_or(|(parent, _)| parent == 0)
    }

    /// Whether it may hold the keys of a struct.
    pub(super) fn is_struct(&self, node: usize) -> bool {
        self.nodes[node].bracket == '('
    }

    /// A bracket with the key that it belongs to.
    pub(super) fn whole(&self, node: usize) -> Range<usize> {
        let held_by = self.holder(node).filter(|_| !self.is_top(node));
        held_by.map_or(self.nodes[node].span.clone(), |item| item.span.clone())
    }

    /// The item that holds a bracket.
    pub(super) fn holder(&self, node: usize) -> Option<&Item> {
        let (parent, item) = self.nodes[node].parent?;
        self.nodes[parent].items.get(item)
    }

    /// The smallest thing around a byte that can be left out while the rest still makes sense: `key: value` or an element of a
    /// list, never a part of a tuple. With the bracket that it is in.
    pub(super) fn removable(&self, offset: usize) -> Option<(usize, &Item)> {
        let (mut node, mut item) = self.around(offset);
        loop {
            if let Some(item) = item.map(|i| &self.nodes[node].items[i])
                && (item.key.is_some() || self.nodes[node].bracket == '[')
                && node != 0
            {
                return Some((node, item));
            }
            let (parent, holder) = self.nodes[node].parent?;
            (node, item) = (parent, Some(holder));
        }
    }
}

/// `NaN`, `inf` and numbers too great for an f64 have no place in any document of ours.
fn not_finite(text: &str, token: &Token) -> Option<Problem> {
    let said = &text[token.span.clone()];
    let bare = said.trim_start_matches(['+', '-']);
    let named =
        ["inf", "NaN"].into_iter().any(|n| bare.strip_prefix(n).is_some_and(|r| matches!(r, "" | "f32" | "f64")));
    let digits = bare.trim_end_matches("f64").trim_end_matches("f32").replace('_', "");
    let infinite = token.kind == Kind::Number && digits.parse::<f64>().is_ok_and(f64::is_infinite);
    (named || infinite).then(|| Problem::at(token.span.clone(), format!("`{said}` is not a finite number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (Range<usize>, String) {
        let p = Tree::read(text, 0).unwrap_err();
        (p.span, p.message)
    }

    #[test]
    fn a_bracket_that_does_not_fit_is_said_with_its_partner() {
        assert_eq!(refusal("(a: [1, 2)"), (9..10, "expected `]`, found `)`".into()));
        assert_eq!(refusal("(a: 1))"), (6..7, "this `)` closes nothing".into()));
        assert_eq!(refusal("(a: [1, (2"), (8..9, "the `(` opened here is never closed".into()));
    }

    #[test]
    fn ten_thousand_brackets_are_refused_before_they_cost_stack() {
        for bracket in ["(", "[", "{", "a(", "[("] {
            assert!(refusal(&bracket.repeat(10_000)).1.contains("nested deeper"), "{bracket}");
        }
    }

    #[test]
    fn a_missing_comma_is_found_at_the_second_colon() {
        let tree = Tree::read("(a: 1 b: 2)", 0).unwrap();
        assert_eq!(tree.problems[0].span, 6..7);
    }

    #[test]
    fn duplicate_keys_are_found_in_structs_and_maps() {
        let tree = Tree::read("(a: {\"x\": 1, \"y\": 2, \"x\" : 3}, b: 1, a /* again */ : 2)", 0).unwrap();
        let spans: Vec<_> = tree.problems.iter().map(|p| p.span.clone()).collect();
        assert_eq!(spans.len(), 2, "{:?}", tree.problems);
    }

    #[test]
    fn the_removable_thing_is_a_pair_or_an_element_but_no_part_of_a_tuple() {
        let text = "S(a: (1, 2), b: [3, (4, 5)], c: {\"d\": 6})";
        let tree = Tree::read(text, 0).unwrap();
        let removable = |needle: &str| {
            let (_, item) = tree.removable(text.find(needle).unwrap()).unwrap();
            &text[item.span.clone()]
        };
        assert_eq!(removable("2"), "a: (1, 2),");
        assert_eq!(removable("3"), "3,");
        assert_eq!(removable("5"), "(4, 5)");
        assert_eq!(removable("6"), "\"d\": 6");
        assert!(tree.removable(0).is_none(), "the document itself stays");
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        let tree = Tree::read("[1e999, -1e999, NaN, -inf, inff64, 1_0e400f64, 1e30, 0x1e999, information]", 0).unwrap();
        assert_eq!(tree.problems.len(), 6, "{:?}", tree.problems);
    }
}
