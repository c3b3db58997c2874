//! Every text of the screens has English words, and no words are left over.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

/// What stands between the quotes after each `start`.
fn quoted<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).map(|rest| rest.split('"').next().unwrap())
}

#[test]
fn english_is_whole() {
    let app = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = BTreeSet::new();
    for file in std::fs::read_dir(app.join("ui")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "slint") {
            let text = std::fs::read_to_string(path).unwrap();
            said.extend(quoted(&text, "@tr(\"").map(str::to_owned));
        }
    }
    assert!(said.len() > 100, "the texts were not found");
    let po = std::fs::read_to_string(app.join("lang/en/LC_MESSAGES/meguri-screens.po")).unwrap();
    let mut known = BTreeSet::new();
    for entry in po.split("\n\n").skip(1) {
        let source = quoted(entry, "msgid \"").next().unwrap();
        let english = quoted(entry, "msgstr \"").next().unwrap();
        assert!(!english.is_empty(), "{source:?} has no English");
        assert!(
            english.is_ascii() || english.chars().all(|c| "×¥…–".contains(c) || c.is_ascii()),
            "{english:?}"
        );
        let places = |text: &str| text.matches('{').count();
        assert_eq!(places(source), places(english), "{source:?} and {english:?} hold other numbers");
        known.insert(source.to_owned());
    }
    assert_eq!(said, known);
}
