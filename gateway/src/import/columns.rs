//! Where a file's header has the columns that a profile names.

use std::collections::BTreeSet;

use super::letters::{Letters, Lookup};
use super::profile::{Field, ItemFields, ItemText, Items, Profile};
use super::report::Problem;
use super::table::Header;

/// A field and where the header has its column. Its settings are written as the file's cells are.
pub(super) struct Source {
    pub(super) field: Field,
    pub(super) column: Option<usize>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
    pub(super) map: Lookup<String>,
}

/// A column of the key, and how its cells are made alike where they mean the same.
pub(super) struct KeyPart {
    pub(super) column: usize,
    /// Zeros are put in front up to this many characters.
    pub(super) pad: usize,
    /// Whether it is the date.
    pub(super) date: bool,
}

impl KeyPart {
    fn resolve(profile: &Profile, header: &Header, name: &str) -> Result<Self, Problem> {
        // What takes a part of the cell or translates it may be the same for different requests.
        let whole = |field: &Field| {
            field.column.as_deref() == Some(name)
                && field.after.is_none()
                && field.before.is_none()
                && field.map.is_empty()
        };
        let fields = || profile.fields.all().filter(|(_, field)| whole(field));
        Ok(Self {
            column: header.column(name)?,
            pad: fields().map(|(_, field)| field.pad).max().unwrap_or(0),
            date: fields().any(|(field, _)| field == "date"),
        })
    }
}

/// One item's fields.
pub(super) struct ItemSource {
    pub(super) name: Source,
    pub(super) count: Option<Source>,
    pub(super) tickets: Option<Source>,
    pub(super) ticket: Vec<(u32, Source)>,
    pub(super) recycling: Option<Source>,
}

/// Where the items of a line are.
pub(super) enum ItemSources {
    /// Items that stand beside each other on a line.
    Each(Vec<ItemSource>),
    Text(Box<(ItemText, Source)>),
}

/// Every field of a profile with its place in one file.
pub(super) struct Columns {
    pub(super) header: Header,
    pub(super) key: Vec<KeyPart>,
    pub(super) skip: Vec<usize>,
    /// The columns that anything of a request is read of.
    pub(super) used: Vec<usize>,
    pub(super) date: Source,
    pub(super) district: Source,
    pub(super) vehicle: Option<Source>,
    pub(super) reception: Source,
    pub(super) ward: Option<Source>,
    pub(super) town: Source,
    pub(super) lot: Option<Source>,
    pub(super) building: Option<Source>,
    pub(super) spot: Option<Source>,
    pub(super) notice: Option<Source>,
    pub(super) position: Option<(Source, Source)>,
    pub(super) payment: Option<Source>,
    pub(super) status: Option<Source>,
    pub(super) order: Option<Source>,
    pub(super) items: ItemSources,
}

impl Columns {
    /// Looks every column up.
    pub(super) fn resolve(profile: &Profile, header: &Header, letters: &Letters) -> Result<Self, Problem> {
        header.expect(&profile.columns())?;
        let mut used = BTreeSet::new();
        for name in &profile.key {
            used.insert(header.column(name)?);
        }
        let used = std::cell::RefCell::new(used);
        let signs = |text: &Option<String>| text.as_deref().map(|text| letters.signs(text).into_owned());
        let source = |field: &Field| -> Result<Source, Problem> {
            let column = field.column.as_deref().map(|name| header.column(name)).transpose()?;
            used.borrow_mut().extend(column);
            let map = field.map.iter().map(|(from, to)| (letters.signs(from).into_owned(), to.clone()));
            Ok(Source {
                field: field.clone(),
                column,
                after: signs(&field.after),
                before: signs(&field.before),
                map: Lookup::new(letters, map),
            })
        };
        let maybe = |field: &Option<Field>| field.as_ref().map(source).transpose();
        let item = |fields: &ItemFields| -> Result<ItemSource, Problem> {
            Ok(ItemSource {
                name: source(&fields.name)?,
                count: maybe(&fields.count)?,
                tickets: maybe(&fields.tickets)?,
                ticket: fields
                    .ticket
                    .iter()
                    .map(|ticket| Ok((ticket.yen, source(&ticket.count)?)))
                    .collect::<Result<_, Problem>>()?,
                recycling: maybe(&fields.recycling)?,
            })
        };
        let fields = &profile.fields;
        let items = match &profile.items {
            Items::Lines(fields) => ItemSources::Each(vec![item(fields)?]),
            Items::Text(text) => {
                let signs =
                    |texts: &[String]| texts.iter().map(|text| letters.signs(text).into_owned()).collect();
                let how =
                    ItemText { between: signs(&text.between), times: signs(&text.times), ..text.clone() };
                ItemSources::Text(Box::new((how, source(&text.text)?)))
            }
            Items::Columns(columns) => {
                // The header says how many there are; the first has to be there.
                let name = |number: usize| columns.name.numbered(number).column.clone().unwrap_or_default();
                if let Some(index) = header.find(&name(columns.most + 1)) {
                    let problem =
                        format!("expected items up to number {}, as the profile says", columns.most);
                    return Err(Problem::at(1, Some(header.named(index)), problem));
                }
                let numbers =
                    (1..=columns.most).filter(|&number| number == 1 || header.find(&name(number)).is_some());
                let items =
                    numbers.map(|number| item(&columns.numbered(number))).collect::<Result<_, _>>()?;
                ItemSources::Each(items)
            }
        };
        let mut columns = Self {
            header: header.clone(),
            key: profile
                .key
                .iter()
                .map(|name| KeyPart::resolve(profile, header, name))
                .collect::<Result<_, _>>()?,
            skip: profile.skip.iter().map(|rule| header.column(&rule.column)).collect::<Result<_, _>>()?,
            date: source(&fields.date)?,
            district: source(&fields.district)?,
            vehicle: maybe(&fields.vehicle)?,
            reception: source(&fields.reception)?,
            ward: maybe(&fields.ward)?,
            town: source(&fields.town)?,
            lot: maybe(&fields.lot)?,
            building: maybe(&fields.building)?,
            spot: maybe(&fields.spot)?,
            notice: maybe(&fields.notice)?,
            position: maybe(&fields.lat)?.zip(maybe(&fields.lng)?),
            payment: maybe(&fields.payment)?,
            status: maybe(&fields.status)?,
            order: maybe(&fields.order)?,
            items,
            used: Vec::new(),
        };
        columns.used = used.into_inner().into_iter().collect();
        Ok(columns)
    }
}
