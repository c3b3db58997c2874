//! One line's cells become values, or problems that name line and column.

use jiff::civil::Date;
use meguri_config::City;
use meguri_config::city::District;
use meguri_proto::{Item, Payment, Place, Ticket, VehicleId, limits};

use super::columns::{Columns, ItemSource, ItemSources, Source};
use super::dates::Dates;
use super::letters::{Letters, Lookup, plain};
use super::profile::Profile;
use super::report::Problem;
use super::table::{Header, Line};
use super::value;
use super::visit::Visit;
use crate::encoding;

/// Longest cell of a key, in characters.
const KEY_CELL: usize = 200;

/// A request as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// The line it is on, or begins with.
    pub(super) line: u64,
    /// Its key within the source.
    pub(super) key: String,
    pub(super) visit: Visit,
    /// Whether the file says that it is cancelled.
    pub(super) cancelled: bool,
    /// Its place in the round, where the file says it.
    pub(super) order: Option<u32>,
}

/// One line of residents' data.
pub(super) fn short(text: &str) -> Result<String, String> {
    value::text(text, limits::SHORT_TEXT, true)
}

/// Some lines of residents' data.
pub(super) fn long(text: &str) -> Result<String, String> {
    value::lines(text, limits::LONG_TEXT, true)
}

/// A town, which must not be empty.
pub(super) fn town(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected a town, found nothing".to_owned());
    }
    short(text)
}

/// The city's plan, whose names may be written otherwise in files.
struct Plan<'a> {
    city: &'a City,
    districts: Lookup<&'a District>,
    wards: Lookup<&'a str>,
}

impl<'a> Plan<'a> {
    fn new(city: &'a City, letters: &Letters) -> Self {
        Self {
            city,
            districts: Lookup::new(letters, city.district.iter().map(|one| (one.name.clone(), one))),
            wards: Lookup::new(letters, city.wards.iter().map(|ward| (ward.clone(), ward.as_str()))),
        }
    }
}

/// How the lines of one file are understood.
pub(super) struct Values<'a> {
    profile: &'a Profile,
    /// None where there is no plan: then districts, wards and vehicles are not looked up.
    plan: Option<Plan<'a>>,
    days: &'a [Date],
    pub(super) columns: Columns,
    letters: Letters,
    dates: Dates,
}

impl<'a> Values<'a> {
    /// The problem is one of the whole file: the header or the profile lacks something.
    pub(super) fn new(
        profile: &'a Profile,
        city: Option<&'a City>,
        days: &'a [Date],
        header: &Header,
    ) -> Result<Self, Problem> {
        let letters = Letters::of(profile);
        let dates = Dates::of(profile).map_err(Problem::of_file)?;
        if dates.lacks_reference() {
            let problem = "the profile's dates have no year, and nothing says which day they are near to: expected reference_day";
            return Err(Problem::of_file(problem));
        }
        let columns = Columns::resolve(profile, header, &letters)?;
        let plan = city.map(|city| Plan::new(city, &letters));
        Ok(Self { profile, plan, days, columns, letters, dates })
    }

    /// Looks up the external characters of the cells that are used, and gives signs one name. Characters that the
    /// profile's table lacks are problems.
    pub(super) fn look_up(&self, line: &mut Line) -> Vec<Problem> {
        // Names, which have most external characters, are often there for a rule alone: what that can't know, it passes.
        for &column in &self.columns.skip {
            if let Ok(known) = self.letters.cell(&line.cells[column]).map(std::borrow::Cow::into_owned) {
                line.cells[column] = known;
            }
        }
        let mut problems = Vec::new();
        for &column in &self.columns.used {
            let cell = &mut line.cells[column];
            if cell.is_ascii() {
                continue;
            }
            match self.letters.cell(cell) {
                Ok(std::borrow::Cow::Borrowed(_)) => {}
                Ok(std::borrow::Cow::Owned(known)) => *cell = known,
                Err(unknown) => {
                    let problem = format!(
                        "expected characters that the profile's [gaiji] knows, found the external character {}",
                        encoding::name(unknown)
                    );
                    problems.push(Problem::at(line.number, Some(self.columns.header.named(column)), problem));
                }
            }
        }
        problems
    }

    /// The first rule that leaves the line out, by its place in the profile.
    pub(super) fn skips(&self, line: &Line) -> Option<usize> {
        let rules = self.profile.skip.iter().zip(&self.columns.skip);
        let alike = |text: &str| self.letters.folded(text);
        rules
            .enumerate()
            .find_map(|(index, (rule, column))| rule.skips(&line.cells[*column], alike).then_some(index))
    }

    /// The columns of the key, joined so that no two keys look alike, and one request's always do.
    pub(super) fn key(&self, line: &Line) -> Result<String, Problem> {
        let mut key = String::new();
        for part in &self.columns.key {
            let cell = &line.cells[part.column];
            let at =
                |problem| Problem::at(line.number, Some(self.columns.header.named(part.column)), problem);
            if cell.is_empty() {
                return Err(at("expected a part of the request's key, found nothing".to_owned()));
            }
            let text = value::text(&plain(cell), KEY_CELL, false).map_err(at)?;
            let date = part.date.then(|| self.dates.read(cell).ok()).flatten();
            // Of a date that can't be read its field tells.
            let cell = date.map_or_else(|| value::padded(&text, part.pad), |date| date.to_string());
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(&cell.replace('\\', "\\\\").replace('/', "\\/"));
        }
        Ok(key)
    }

    /// The request that the line is, or is a part of; none where there are problems.
    pub(super) fn request(
        &self,
        line: &Line,
        key: Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Request> {
        let columns = &self.columns;
        let mut text = |source: &Option<Source>, read: fn(&str) -> Result<String, String>| match source {
            Some(source) => kept(problems, self.text(line, source, read)),
            None => Some(String::new()),
        };
        let lot = text(&columns.lot, short);
        let building = text(&columns.building, short);
        let spot = text(&columns.spot, long);
        let notice = text(&columns.notice, long);
        let town = kept(problems, self.text(line, &columns.town, town));
        let date = kept(problems, self.date(line));
        let district = kept(problems, self.district(line));
        let vehicle = kept(problems, self.vehicle(line));
        let reception = kept(problems, self.get(line, &columns.reception, value::reception));
        let ward = kept(problems, self.ward(line));
        let position = kept(problems, self.position(line));
        let payment = match &columns.payment {
            Some(source) => kept(problems, self.get(line, source, value::payment)),
            None => Some(Payment::Tickets),
        };
        let cancelled = match &columns.status {
            Some(source) => kept(problems, self.get(line, source, value::cancelled)),
            None => Some(false),
        };
        let order = match &columns.order {
            Some(source) => {
                kept(problems, self.get(line, source, |text| value::number(text, 0, 1_000_000).map(Some)))
            }
            None => Some(None),
        };
        let items = self.items(line, problems);

        let district = district?;
        let date = date?;
        let vehicle = vehicle?.unwrap_or_else(|| self.serving(&district, date));
        let contract = kept(problems, self.contract(line, &vehicle, date))?;
        let visit = Visit {
            date,
            contract,
            vehicle,
            reception: reception?,
            place: Place {
                ward: ward?.unwrap_or(district.ward),
                town: town?,
                lot: lot?,
                building: building?,
                spot: spot?,
                notice: notice?,
                position: position?,
            },
            district: district.name,
            items: items?,
            payment: payment?,
        };
        Some(Request { line: line.number, key: key?, visit, cancelled: cancelled?, order: order? })
    }

    /// A field's value on a line, read by `parse`.
    pub(super) fn get<T>(
        &self,
        line: &Line,
        source: &Source,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Problem> {
        let value = self.value(line, source)?;
        parse(&value).map_err(|problem| self.wrong(line, source, problem))
    }

    /// A field's text on a line as it is kept, read by `parse`.
    pub(super) fn text(
        &self,
        line: &Line,
        source: &Source,
        parse: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<String, Problem> {
        self.get(line, source, |text| parse(&self.letters.text(text)))
    }

    /// A field's text on a line: cut, defaulted, translated and padded as its settings say.
    pub(super) fn value(&self, line: &Line, source: &Source) -> Result<String, Problem> {
        let field = &source.field;
        let Some(column) = source.column else { return Ok(field.constant.clone().unwrap_or_default()) };
        let mut text = line.cells[column].as_str();
        if let Some((_, rest)) = source.after.as_deref().and_then(|after| text.split_once(after)) {
            text = rest.trim();
        }
        if let Some((rest, _)) = source.before.as_deref().and_then(|before| text.split_once(before)) {
            text = rest.trim();
        }
        if text.is_empty() {
            return Ok(field.default.clone().unwrap_or_default());
        }
        if !field.map.is_empty() {
            text = source.map.find(&self.letters, text).ok_or_else(|| {
                let known = field.map.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let problem = format!("expected one of {known}, found {}", value::shown(text));
                self.wrong(line, source, problem)
            })?;
        }
        Ok(value::padded(text, field.pad))
    }

    fn wrong(&self, line: &Line, source: &Source, problem: String) -> Problem {
        match source.column {
            Some(column) => Problem::at(line.number, Some(self.columns.header.named(column)), problem),
            None => Problem::at(line.number, None, format!("the profile's constant: {problem}")),
        }
    }

    /// The day of collection.
    pub(super) fn date(&self, line: &Line) -> Result<Date, Problem> {
        self.get(line, &self.columns.date, |text| {
            let date = self.dates.read(text)?;
            if !self.days.is_empty() && !self.days.contains(&date) {
                return Err(format!("expected only the days named for this file, found {date}"));
            }
            Ok(date)
        })
    }

    /// The district's entry in the city's plan.
    pub(super) fn district(&self, line: &Line) -> Result<District, Problem> {
        self.get(line, &self.columns.district, |name| {
            self.plan.as_ref().and_then(|plan| plan.districts.find(&self.letters, name)).map(|&found| found.clone()).ok_or_else(|| {
                // Whoever has just put it there looks for it in vain.
                format!(
                    "expected a district of city.toml, found {}; a running gateway knows city.toml as it was at its start",
                    value::shown(name)
                )
            })
        })
    }

    /// The vehicle that the line names itself.
    pub(super) fn vehicle(&self, line: &Line) -> Result<Option<VehicleId>, Problem> {
        let Some(source) = &self.columns.vehicle else { return Ok(None) };
        self.get(line, source, |text| {
            if text.is_empty() {
                return Ok(None);
            }
            let known =
                |id: &VehicleId| self.plan.as_ref().is_none_or(|plan| plan.city.vehicle(id).is_some());
            let id = value::narrow(text).parse::<VehicleId>().ok().filter(known);
            id.map(Some)
                .ok_or_else(|| format!("expected a vehicle of city.toml, found {}", value::shown(text)))
        })
    }

    /// The ward that the line names itself, as the city's plan writes it.
    pub(super) fn ward(&self, line: &Line) -> Result<Option<String>, Problem> {
        let Some(source) = &self.columns.ward else { return Ok(None) };
        self.get(line, source, |text| match (text, &self.plan) {
            ("", _) => Ok(None),
            (ward, None) => Ok(Some(ward.to_owned())),
            (ward, Some(plan)) => match plan.wards.find(&self.letters, ward) {
                Some(&known) => Ok(Some(known.to_owned())),
                None => Err(format!("expected a ward of city.toml, found {}", value::shown(ward))),
            },
        })
    }

    /// Latitude and longitude.
    pub(super) fn position(&self, line: &Line) -> Result<Option<(f64, f64)>, Problem> {
        let Some((lat, lng)) = &self.columns.position else { return Ok(None) };
        let degrees = |source: &Source, bound: f64| {
            self.get(line, source, |text| match text {
                "" => Ok(None),
                text => value::degrees(text, bound).map(Some),
            })
        };
        match (degrees(lat, 90.0)?, degrees(lng, 180.0)?) {
            (Some(lat), Some(lng)) => Ok(Some((lat, lng))),
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(self.wrong(line, lat, "expected both latitude and longitude, found one".into()))
            }
            (Some(_), None) => {
                Err(self.wrong(line, lng, "expected both latitude and longitude, found one".into()))
            }
        }
    }

    /// The vehicle that serves a district on that day; where none has a contract then, the first, whose period is told.
    fn serving(&self, district: &District, date: Date) -> VehicleId {
        let serving = self.plan.as_ref().and_then(|plan| plan.city.serving(district, date));
        serving.map_or_else(|| district.vehicle.first().clone(), |(vehicle, _)| vehicle.id.clone())
    }

    /// The contract under which the vehicle works on that day.
    fn contract(
        &self,
        line: &Line,
        vehicle: &VehicleId,
        date: Date,
    ) -> Result<meguri_proto::ContractId, Problem> {
        // A checked plan names only vehicles and contracts that it has.
        let plan = self.plan.as_ref();
        if let Some(contract) = plan.and_then(|plan| plan.city.contract_on(vehicle, date)) {
            return Ok(contract.id.clone());
        }
        let last = plan.and_then(|plan| {
            let contracts = plan.city.vehicle(vehicle)?.contract.iter();
            contracts.filter_map(|id| plan.city.contract(id)).max_by_key(|contract| contract.until)
        });
        let Some(contract) = last else {
            return Err(Problem::at(line.number, None, format!("city.toml has no contract of {vehicle}")));
        };
        let problem = format!(
            "expected a day of contract {} of {vehicle}, {} to {}, found {date}",
            contract.id, contract.from, contract.until
        );
        Err(self.wrong(line, &self.columns.date, problem))
    }

    /// The line's items.
    pub(super) fn items(&self, line: &Line, problems: &mut Vec<Problem>) -> Option<Vec<Item>> {
        let items = match &self.columns.items {
            ItemSources::Text(text) => {
                let (how, source) = &**text;
                let mut items = kept(problems, self.get(line, source, |cell| value::items(how, cell)))?;
                for item in &mut items {
                    item.name = self.letters.text(&item.name).into_owned();
                }
                items
            }
            ItemSources::Each(sources) => {
                let mut items = Vec::with_capacity(sources.len());
                let mut good = true;
                for source in sources {
                    match kept(problems, self.item(line, source)) {
                        Some(item) => items.extend(item),
                        None => good = false,
                    }
                }
                if !good {
                    return None;
                }
                items
            }
        };
        Some(items)
    }

    fn item(&self, line: &Line, source: &ItemSource) -> Result<Option<Item>, Problem> {
        let name = self.text(line, &source.name, value::item_name)?;
        if name.is_empty() {
            let tickets = source.ticket.iter().map(|(_, count)| count);
            for other in source.count.iter().chain(&source.tickets).chain(tickets) {
                let cell = other.column.map_or("", |column| line.cells[column].as_str());
                if !matches!(cell, "" | "0" | "０") {
                    return Err(self.wrong(
                        line,
                        &source.name,
                        "expected an item's name, found nothing".into(),
                    ));
                }
            }
            return Ok(None);
        }
        let count = match &source.count {
            Some(count) => self.get(line, count, |text| match text {
                "" => Ok(1),
                text => value::number(text, 1, limits::ITEM_COUNT),
            })?,
            None => 1,
        };
        let mut tickets = match &source.tickets {
            Some(tickets) => self.get(line, tickets, value::tickets)?,
            None => Vec::new(),
        };
        for (yen, source) in &source.ticket {
            let count = self.get(line, source, |text| match text {
                "" => Ok(0),
                text => value::number(text, 0, limits::ITEM_COUNT),
            })?;
            if count > 0 {
                tickets.push(Ticket { yen: *yen, count });
            }
        }
        let recycling = match &source.recycling {
            Some(recycling) => self.get(line, recycling, value::yes)?,
            None => false,
        };
        Ok(Some(Item { name, count, tickets, recycling }))
    }
}

/// Keeps the problem and goes on, so that one report names all of a line's.
fn kept<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// The key, or its problem among a line's: unless the field of that column has one, which tells it better.
pub(super) fn key_or(key: Result<String, Problem>, problems: &mut Vec<Problem>) -> Option<String> {
    key.map_err(|problem| {
        if problems.iter().all(|other| other.column != problem.column) {
            problems.push(problem);
        }
    })
    .ok()
}
