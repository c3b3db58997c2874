//! Whether anything of an old contract can be read at the end: in terminals' files, and in copies of them that were made the evening
//! before, as a thief might, with the keys that are left.

use std::path::{Path, PathBuf};

use anyhow::Context;
use meguri_app::store::Store;
use meguri_core::kept::Contents;
use meguri_proto::{ContractId, DocumentName};

use super::check::Check;
use super::terminal::Pins;
use super::{AFTER, BEFORE, Rehearsal, work};
use crate::harness::office::copy_folder;

/// The folder of keys in a terminal's folder.
const KEYS: &str = "keys";
/// Copies are made of so many terminals.
const COPIES: usize = 5;

impl Rehearsal {
    /// Copies the files of some terminals that are on.
    pub(super) fn copy_some(&mut self) -> anyhow::Result<()> {
        let on = |index: &usize| self.world.terminals[*index].is_on();
        let changing: Vec<usize> = (0..self.plan.seats.len())
            .filter(|index| self.plan.seats[*index].changes(self.plan.instant))
            .filter(on)
            .collect();
        for index in changing.iter().step_by((changing.len() / COPIES).max(1)).take(COPIES) {
            let terminal = &self.world.terminals[*index];
            let copy = self.folder.join("copies").join(terminal.id.as_str());
            copy_folder(&terminal.folder, &copy)?;
            copy_folder(&terminal.folder.join(KEYS), &copy.join(KEYS))?;
            self.copies.push(*index);
        }
        Ok(())
    }

    /// What is wrong with a copy: that it opens with the keys that are left, or that it never opened.
    pub(super) fn copy_readable(&mut self, index: usize) -> anyhow::Result<Vec<String>> {
        let seat = &self.plan.seats[index];
        let contract = seat.schedule[0].contract.clone();
        let terminal = &self.world.terminals[index];
        let copy = self.folder.join("copies").join(seat.terminal.as_str());
        let later = self.folder.join("copies").join(format!("{}-later", seat.terminal));
        copy_folder(&copy, &later)?;
        // The copy knows the lists; the keys are those that the terminal has by now.
        copy_folder(&terminal.folder.join(KEYS), &later.join(KEYS))?;
        let mut found = Vec::new();
        let pins = &mut self.world.pins;
        let city = &self.plan.city.id;
        let then = lists(&copy, city, &seat.terminal, &contract, pins)?;
        if then == 0 {
            found.push(format!(
                "{}: the copy of the evening before held no list that could be read",
                seat.terminal
            ));
        }
        let now = lists(&later, city, &seat.terminal, &contract, pins)?;
        if now > 0 {
            found.push(format!(
                "{}: {now} lists of {contract} open with the keys that are left",
                seat.terminal
            ));
        }
        Ok(found)
    }

    /// No resident's data stands in a terminal's files, and no key that would open an old contract's lists.
    pub(super) fn nothing_readable(&mut self) -> anyhow::Result<Check> {
        let mut found = Vec::new();
        // The search itself finds what is there to be found.
        if !contains(&self.world.office.file(), &[BEFORE.as_bytes()])? {
            found.push("the office's own store does not hold a resident's address in plain: the search finds nothing".to_owned());
        }
        let words = [BEFORE.as_bytes(), AFTER.as_bytes(), work::NOTE.as_bytes()];
        let mut files = 0_usize;
        for (index, seat) in self.plan.seats.iter().enumerate() {
            let next = seat.at(self.plan.instant);
            for path in files_below(&self.world.terminals[index].folder)? {
                files += 1;
                if contains(&path, &words)? {
                    found.push(format!("{} holds residents' data in plain", path.display()));
                }
                if path.extension().is_some_and(|suffix| suffix == "key") && seat.changes(self.plan.instant) {
                    let key: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
                    let contract = key["contract"].as_str().unwrap_or_default();
                    if contract != next.contract.as_str() {
                        found.push(format!("{} is still a key of {contract}", path.display()));
                    }
                }
            }
        }
        let copies = self.copies.len();
        for index in std::mem::take(&mut self.copies) {
            found.extend(self.copy_readable(index)?);
        }
        Ok(Check::new(
            format!(
                "前の契約のリストは、どの端末でも読めない（{files} 個のファイルを調べた）。前日の夕方に写しておいた {copies} 台の記憶も、残っている鍵では開かない"
            ),
            format!(
                "No old contract's list can be read on any terminal ({files} files searched), not even in copies of {copies} terminals' files of \
                 the evening before: no key that is left opens them"
            ),
            found,
        )
        .some(copies))
    }
}

/// Every file below a folder.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("can't list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

/// Whether a file holds one of these words anywhere.
fn contains(path: &Path, words: &[&[u8]]) -> anyhow::Result<bool> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(words.iter().any(|word| bytes.windows(word.len()).any(|window| window == *word)))
}

/// How many lists of a contract open in a terminal's folder, to anybody whose PIN is known.
fn lists(
    folder: &Path,
    city: &meguri_proto::CityId,
    terminal: &meguri_proto::TerminalId,
    contract: &ContractId,
    pins: &mut Pins,
) -> anyhow::Result<usize> {
    let (mut store, kept) = Store::open(folder, city, terminal, None)?;
    let readable = |name: &DocumentName, contents: &Contents| {
        matches!(name, DocumentName::List { contract: of, .. } if of == contract)
            && matches!(contents, Contents::List(_))
    };
    let mut open = kept.documents.iter().filter(|(name, held)| readable(name, &held.contents)).count();
    for member in kept.crew() {
        if let Some(key) = pins.open(&member.lock, &member.id) {
            let opened = store.unseal(&member.id, &key)?;
            open = open.max(opened.iter().filter(|(name, contents)| readable(name, contents)).count());
        }
    }
    Ok(open)
}
