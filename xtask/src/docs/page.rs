// SPDX-License-Identifier: Apache-2.0
//! THE JANITOR / page: one page of docs/ as HTML. In: CommonMark with tables. Out: [`Page`]: the body, its headings with ids as
//! GitHub and mdBook make them, its links, its words for the search. Read next: `site.rs`.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Text of its first heading.
    pub(super) title: String,
    /// What stands between `<main>` and `</main>`.
    pub(super) html: String,
    /// All headings in order.
    pub(super) headings: Vec<Heading>,
    /// Links to pages of the site.
    pub(super) links: Vec<Link>,
    /// What is read on the page, for the search.
    pub(super) words: String,
}

/// A heading.
#[derive(Debug)]
pub(super) struct Heading {
    /// What a link to it ends with, after `#`.
    pub(super) id: String,
    /// Its text.
    pub(super) text: String,
}

/// A link to a page of the site.
#[derive(Debug)]
pub(super) struct Link {
    /// The page, from the folder of the pages.
    pub(super) path: String,
    /// The heading, if it names one.
    pub(super) anchor: Option<String>,
    /// Line of the link, 1-based.
    pub(super) line: usize,
}

/// Reads the page at `path` (from the folder of the pages); `report` hears what is wrong with it.
pub(super) fn read(path: &str, text: &str, report: &mut impl FnMut(&str, usize, String)) -> Page {
    let mut page = Page::default();
    let mut events: Vec<Event<'_>> = Vec::new();
    // Start of the heading that is being read: its place in `events`, its level and its text so far.
    let mut heading: Option<(usize, HeadingLevel, String)> = None;
    for (event, range) in
        Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES).into_offset_iter()
    {
        let line = text
            .get(..range.start)
            .map_or(0, |before| before.matches('\n').count() + 1);
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some((events.len(), level, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((start, level, words)) = heading.take() {
                    let inner: Vec<Event<'_>> = events.drain(start..).collect();
                    let id = unique(slug(&words), &page.headings);
                    let mut shown = String::new();
                    html::push_html(&mut shown, inner.into_iter());
                    events.push(Event::Html(CowStr::from(format!(
                        "<{level} id=\"{id}\"><a class=\"anchor\" href=\"#{id}\">{shown}</a></{level}>\n"
                    ))));
                    if page.title.is_empty() {
                        page.title.clone_from(&words);
                    }
                    page.headings.push(Heading { id, text: words });
                }
            }
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let dest_url = match target(path, &dest_url) {
                    Target::Elsewhere => dest_url,
                    Target::Outside => {
                        report(
                            path,
                            line,
                            format!("`{dest_url}` is outside of the site: name the file instead"),
                        );
                        dest_url
                    }
                    Target::Page(link, href) => {
                        page.links.push(Link { line, ..link });
                        CowStr::from(href)
                    }
                };
                events.push(Event::Start(Tag::Link {
                    link_type,
                    dest_url,
                    title,
                    id,
                }));
            }
            Event::Html(raw) | Event::InlineHtml(raw) => report(
                path,
                line,
                format!(
                    "`{}`: HTML is not shown; write it as code or as Markdown",
                    raw.trim()
                ),
            ),
            Event::Start(Tag::Image { dest_url, .. }) => report(
                path,
                line,
                format!("`{dest_url}`: the site has no images yet"),
            ),
            other => {
                if let Event::Text(words) | Event::Code(words) = &other {
                    if let Some((_, _, text)) = &mut heading {
                        text.push_str(words);
                    }
                    page.words.push_str(words);
                    page.words.push(' ');
                }
                if matches!(&other, Event::Start(Tag::Table(_))) {
                    events.push(Event::Html("<div class=\"table\">".into()));
                }
                let ends_table = matches!(&other, Event::End(TagEnd::Table));
                events.push(other);
                if ends_table {
                    events.push(Event::Html("</div>\n".into()));
                }
            }
        }
    }
    if page.title.is_empty() || !text.starts_with("# ") {
        report(
            path,
            0,
            "no title: the first line is not `# Title`".to_owned(),
        );
    }
    html::push_html(&mut page.html, events.into_iter());
    page
}

/// What a link leads to.
enum Target {
    /// The web, or a mail.
    Elsewhere,
    /// A file of the repository that is no page.
    Outside,
    /// A page, and how HTML writes the link.
    Page(Link, String),
}

fn target(from: &str, dest: &str) -> Target {
    if dest.contains("://") || dest.starts_with("mailto:") {
        return Target::Elsewhere;
    }
    let (file, anchor) = match dest.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor.to_owned())),
        None => (dest, None),
    };
    let mut parts: Vec<&str> = from.split('/').collect();
    if !file.is_empty() {
        parts.pop();
        for part in file.split('/') {
            match part {
                "." => {}
                ".." if parts.pop().is_none() => return Target::Outside,
                ".." => {}
                word => parts.push(word),
            }
        }
    }
    let hash = anchor
        .as_deref()
        .map_or(String::new(), |anchor| format!("#{anchor}"));
    let link = Link {
        path: parts.join("/"),
        anchor,
        line: 0,
    };
    Target::Page(link, format!("{}{hash}", html_path(file)))
}

/// Where the page at `path` is on the site: `README.md` is the front page of its folder, as in mdBook.
pub(super) fn html_path(path: &str) -> String {
    match path.strip_suffix("README.md") {
        Some(folder) => format!("{folder}index.html"),
        None => match path.strip_suffix(".md") {
            Some(name) => format!("{name}.html"),
            None => path.to_owned(),
        },
    }
}

/// The id of a heading: lower case, letters, digits, `-` and `_`, blanks become `-`.
fn slug(text: &str) -> String {
    text.trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// The second heading with one id ends in `-1`, the third in `-2`.
fn unique(id: String, known: &[Heading]) -> String {
    let taken = |id: &str| known.iter().any(|heading| heading.id == id);
    if !taken(&id) {
        return id;
    }
    (1..=known.len())
        .map(|number| format!("{id}-{number}"))
        .find(|id| !taken(id))
        .unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_mdbook() {
        for (text, id) in [
            ("Calls", "calls"),
            ("What, `x` & y?", "what-x--y"),
            ("STB-001", "stb-001"),
        ] {
            assert_eq!(slug(text), id);
        }
    }

    #[test]
    fn code_is_escaped_and_keeps_its_language() {
        let page = read(
            "a.md",
            "# A\n\n```go file=x.go\nif a < b {}\n```\n",
            &mut |path, _, text| panic!("{path}: {text}"),
        );
        assert!(
            page.html
                .contains("<code class=\"language-go\">if a &lt; b {}"),
            "{}",
            page.html
        );
        assert_eq!(page.title, "A");
    }
}
