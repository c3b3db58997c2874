//! A file of 100,000 requests, imported through the command line beside a running office, and the longest that an
//! acknowledgement waited meanwhile.

use std::time::{Duration, Instant};

use anyhow::bail;
use jiff::ToSpan as _;

use super::load::{Load, quantile};
use super::stage::{Size, Stage};
use super::{Row, Setting};
use crate::day;
use crate::harness::scene::{DAY, DAY_PROFILE};

const GROUP: &str = "import";
const REQUESTS: usize = 100_000;
/// Beyond 200 a round is not put in order, which would take longer than what is measured.
const ROUND: usize = 250;

/// Measures it.
///
/// # Errors
/// When a program can't be run or the file is not taken whole.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::set(&setting.dir.join("import"), Size { terminals: 60, stops: 50, days: 1 })?;
    // The stage's districts, each with a round a day, over as many days as it takes.
    let districts: Vec<String> = (0..40).map(|index| format!("地区{index:04}")).collect();
    let town = day::towns().swap_remove(0);
    let mut requests = Vec::new();
    'days: for ahead in 10_i64.. {
        let date = DAY.checked_add(ahead.days())?;
        for (index, district) in districts.iter().enumerate() {
            for mut request in day::round(date, &town.district, ROUND, ahead.unsigned_abs()) {
                request.reception = format!("{:04}", requests.len() % 10_000);
                request.town.district.clone_from(district);
                request.town.ward =
                    ["中区", "東区", "南区", "西区", "安佐南区", "安佐北区", "安芸区", "佐伯区"][index % 8]
                        .to_owned();
                requests.push(request);
                if requests.len() == REQUESTS {
                    break 'days;
                }
            }
        }
    }
    let file = day::csv(&requests);
    let megabytes = file.len() as f64 / 1e6;
    stage.start()?;
    let seats = &stage.seats[..20];
    let quiet = Load::start(stage.office.mqtt(), seats, 50, 100.0)?;
    std::thread::sleep(Duration::from_secs(3));
    let quiet = quiet.stop()?;
    let load = Load::start(stage.office.mqtt(), &stage.seats[20..40], 50, 100.0)?;
    let started = Instant::now();
    let said = stage.office.import(DAY_PROFILE, &file)?;
    let took = started.elapsed();
    if !said.status.success() {
        bail!("the import ended with {}: {}", said.status, String::from_utf8_lossy(&said.stderr));
    }
    let load = load.stop()?;
    let found = stage.office.number("SELECT count(*) FROM pickup WHERE source = 'demo'")?;
    if found != i64::try_from(REQUESTS)? {
        bail!("{REQUESTS} requests were taken, the store holds {found}");
    }
    stage.office.stop()?;
    Ok(vec![
        Row::shown(GROUP, "100,000 requests imported", took.as_secs_f64(), "s").beside(format!(
            "{:.0} requests/s; a file of {megabytes:.0} MB",
            REQUESTS as f64 / took.as_secs_f64()
        )),
        Row::at_most(
            GROUP,
            "  longest wait for an acknowledgement meanwhile",
            quantile(&load.waits, 1.0),
            "ms",
            1_000.0,
        )
        .beside(format!(
            "p99 {:.0} ms; without the import p99 {:.0}, longest {:.0} ms",
            quantile(&load.waits, 0.99),
            quantile(&quiet.waits, 0.99),
            quantile(&quiet.waits, 1.0)
        )),
    ])
}
