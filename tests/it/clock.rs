// SPDX-License-Identifier: Apache-2.0
//! THE EXAM / clock: somebody sets the wall clock of the real server by an hour, back and forth, or it runs fast, while workers sleep
//! and schedules wait, and across a restart. A sleep lasts as long as it was asked to; a schedule fires when the wall clock says
//! so, once; nothing is stuck. Read next: golem-engine `steady.rs`, `timers.rs`. Source: reliability F7 (G9).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use golem_testkit::{Preload, Rest, Server, Word};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::traveller::{Version, guest, until};

/// An hour, nanoseconds.
const HOUR: i64 = 3_600_000_000_000;
/// How long the workers sleep: long enough to set the clock and to start the server again meanwhile.
const SLEEP: Duration = Duration::from_millis(2_500);
/// What a sleep may last longer. Far above what it needs, because tests share two cores, and far below an hour.
const LATE: Duration = Duration::from_secs(60);

struct Rig {
    data: TempDir,
    preload: Preload,
    component: String,
    server: Option<Server>,
}

impl Rig {
    fn new(test: &str) -> Result<Option<Self>> {
        let data = tempfile::tempdir()?;
        let Some(preload) = Preload::new(test, data.path())? else {
            return Ok(None);
        };
        let mut rig = Self {
            data,
            preload,
            component: String::new(),
            server: None,
        };
        rig.restart()?;
        rig.component = rig
            .rest()?
            .create_component("traveller", &guest(Version::First)?)?;
        Ok(Some(rig))
    }

    /// Kills the server, if there is one, and starts it with the clock as it is set.
    fn restart(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.kill()?;
        }
        let server = Server::start_under(&self.preload, false, self.data.path(), &[])?;
        self.server = Some(server.map_err(|status| anyhow::anyhow!("ended: {status}"))?);
        Ok(())
    }

    fn rest(&self) -> Result<Rest> {
        let server = self.server.as_ref();
        Ok(server.ok_or_else(|| anyhow::anyhow!("no server"))?.rest())
    }

    /// Sets the wall clock by so many hours from the true one.
    fn hours(&self, hours: i64) -> Result<()> {
        self.preload.set(Word::ClockOffset, hours * HOUR)
    }

    /// Hands in a sleep that nobody waits for, and waits until it has begun.
    fn sleep(&self, worker: &str, sleep: Duration) -> Result<Instant> {
        let path = format!(
            "/v1/components/{}/workers/{worker}/invoke?function=sleep",
            self.component
        );
        let body = json!({"params": [{"value": sleep.as_millis() as u64}]});
        // Before the request: what the sleep lasts is never overrated.
        let begun = Instant::now();
        let (status, body) = self.rest()?.post(&path, &body, Some("sleep"))?;
        ensure!(status == 200, "the sleep answered {status}: {body}");
        self.entry(worker, "subscribe")?;
        Ok(begun)
    }

    /// Waits until a worker's log has an entry that the query finds.
    fn entry(&self, worker: &str, query: &str) -> Result<()> {
        let path = format!("/v1/components/{}/workers/{worker}", self.component);
        until(query, || {
            let query = format!("{path}/oplog?query={query}&count=3");
            let (_, page) = self.rest()?.get(&query)?;
            let found = page["entries"].as_array();
            Ok(found.filter(|all| !all.is_empty()).map(drop))
        })
    }

    /// Waits for the sleep; how long it lasted.
    fn slept(&self, worker: &str, sleep: Duration, begun: Instant) -> Result<Duration> {
        let params = [json!(sleep.as_millis() as u64)];
        let (status, body) =
            self.rest()?
                .try_call(&self.component, worker, "sleep", &params, Some("sleep"))?;
        let lasted = begun.elapsed();
        ensure!(status == 200, "the sleep answered {status}: {body}");
        Ok(lasted)
    }

    /// Schedules an addition for a moment of the true clock, so many hours and then a while from now.
    fn schedule(&self, worker: &str, hours: i64, millis: i64) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let due = i64::try_from(now)? + hours * HOUR / 1_000_000 + millis;
        let at = rfc3339(due);
        let path = format!(
            "/v1/components/{}/workers/{worker}/schedule?function=add&at={at}",
            self.component
        );
        let body = json!({"params": [{"value": 1}]});
        let (status, body) = self.rest()?.post(&path, &body, None)?;
        ensure!(status == 200, "the schedule answered {status}: {body}");
        Ok(())
    }

    fn total(&self, worker: &str) -> Result<u64> {
        let total = self.rest()?.call(&self.component, worker, "get", &[])?;
        Ok(total.as_u64().unwrap_or_default())
    }

    fn until_total(&self, worker: &str, total: u64) -> Result<()> {
        until(worker, || Ok((self.total(worker)? == total).then_some(())))
    }
}

/// A moment in milliseconds since 1970 as a query takes it. Howard Hinnant's rule of the calendar, for years after 1970.
fn rfc3339(millis: i64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// What happens to the clock while everybody sleeps.
type Meanwhile = fn(&mut Rig) -> Result<()>;

#[test]
fn a_sleep_lasts_as_long_as_it_was_asked_to_whatever_happens_to_the_wall_clock() -> Result<()> {
    let name = "a_sleep_lasts_as_long_as_it_was_asked_to_whatever_happens_to_the_wall_clock";
    let Some(mut rig) = Rig::new(name)? else {
        return Ok(());
    };
    let cases: [(&str, Meanwhile); 6] = [
        ("forward", |rig| rig.hours(1)),
        ("back", |rig| rig.hours(-1)),
        ("forward-and-restart", |rig| {
            rig.hours(1)?;
            rig.restart()
        }),
        ("back-and-restart", |rig| {
            rig.hours(-1)?;
            rig.restart()
        }),
        ("restart-and-forward-and-restart-and-back", |rig| {
            rig.restart()?;
            rig.hours(1)?;
            rig.restart()?;
            rig.hours(-1)
        }),
        ("ten-percent-fast", |rig| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
            rig.preload.set(Word::ClockBase, i64::try_from(now)?)?;
            rig.preload.set(Word::ClockPpm, 100_000)
        }),
    ];
    let mut lasted_all = Vec::new();
    for (case, meanwhile) in cases {
        rig.preload.reset()?;
        rig.restart()?;
        let begun = rig.sleep(case, SLEEP)?;
        meanwhile(&mut rig)?;
        let lasted = rig.slept(case, SLEEP, begun)?;
        lasted_all.push((case, lasted));
        ensure!(
            lasted >= SLEEP && lasted < SLEEP + LATE,
            "{case}: a sleep of {SLEEP:?} lasted {lasted:?}"
        );
        // It is over for good: another start does not sleep again.
        let again = rig.slept(case, SLEEP, begun)?;
        ensure!(again < lasted + LATE, "{case}: it slept again");
    }
    eprintln!("sleeps of {SLEEP:?}: {lasted_all:?}");
    Ok(())
}

/// A sleep that is noted in the log after 10 s, and then left to a timer in the store.
const LONG_SLEEP: Duration = Duration::from_millis(11_500);

#[test]
fn a_sleep_that_only_the_store_remembers_goes_by_the_steady_clock_too() -> Result<()> {
    let name = "a_sleep_that_only_the_store_remembers_goes_by_the_steady_clock_too";
    let Some(mut rig) = Rig::new(name)? else {
        return Ok(());
    };
    let begun = rig.sleep("back", LONG_SLEEP)?;
    let begun_forward = rig.sleep("forward", LONG_SLEEP)?;
    for worker in ["back", "forward"] {
        rig.entry(worker, "suspend")?;
    }
    // Set back, the timers look far away; set forward by the next start, they look overdue.
    rig.hours(-1)?;
    rig.restart()?;
    rig.hours(1)?;
    rig.restart()?;
    let both = [("back", begun), ("forward", begun_forward)];
    for (worker, begun) in both {
        let lasted = rig.slept(worker, LONG_SLEEP, begun)?;
        ensure!(
            lasted >= LONG_SLEEP && lasted < LONG_SLEEP + LATE,
            "a sleep of {LONG_SLEEP:?} lasted {lasted:?}"
        );
    }
    Ok(())
}

#[test]
fn a_schedule_follows_the_wall_clock_and_fires_once() -> Result<()> {
    let name = "a_schedule_follows_the_wall_clock_and_fires_once";
    let Some(mut rig) = Rig::new(name)? else {
        return Ok(());
    };
    // In half an hour, and the clock is set forward by one: it is due now.
    rig.schedule("forward", 0, 1_800_000)?;
    // At once, by a clock that is then set back: it has to wait for the clock.
    rig.schedule("back", 0, 400)?;
    rig.hours(-1)?;
    // Behind it in the index, by the clock that is set back: fires in time.
    rig.schedule("in-time", -1, 300)?;
    rig.until_total("in-time", 1)?;
    assert_eq!((rig.total("back")?, rig.total("forward")?), (0, 0));
    // The same after a start on that clock.
    rig.restart()?;
    rig.schedule("in-time", -1, 300)?;
    rig.until_total("in-time", 2)?;
    assert_eq!((rig.total("back")?, rig.total("forward")?), (0, 0));
    rig.hours(0)?;
    rig.until_total("back", 1)?;
    assert_eq!(rig.total("forward")?, 0);
    rig.hours(1)?;
    rig.until_total("forward", 1)?;
    // Back and forth, with starts: nothing happens twice.
    for (done, hours) in [(1, -1), (2, 1), (3, 0)] {
        rig.hours(hours)?;
        rig.restart()?;
        rig.schedule("again", hours, 0)?;
        rig.until_total("again", done)?;
    }
    let totals: Vec<u64> = ["forward", "back", "in-time", "again"]
        .iter()
        .map(|worker| rig.total(worker))
        .collect::<Result<_>>()?;
    assert_eq!(totals, [1, 1, 2, 3]);
    Ok(())
}

#[test]
fn a_deadline_is_a_while_and_not_a_moment() -> Result<()> {
    let Some(rig) = Rig::new("a_deadline_is_a_while_and_not_a_moment")? else {
        return Ok(());
    };
    // An hour passes on the wall, not on the deadline.
    let rest = rig.rest()?;
    let path = format!(
        "/v1/components/{}/workers/w/invoke-and-await?function=sleep&timeout=10m",
        rig.component
    );
    let body = json!({"params": [{"value": 1_000}]});
    let caller = {
        let rest = rest.clone();
        std::thread::spawn(move || rest.post(&path, &body, None))
    };
    rig.entry("w", "subscribe")?;
    rig.hours(1)?;
    let (status, answer) = caller
        .join()
        .map_err(|_| anyhow::anyhow!("the caller panicked"))??;
    ensure!(status == 200, "the call answered {status}: {answer}");
    // One that passes ends the call, although the wall clock says that it is long before.
    rig.hours(-1)?;
    let path = format!(
        "/v1/components/{}/workers/w/invoke-and-await?function=sleep&timeout=300ms",
        rig.component
    );
    let begun = Instant::now();
    let body: Value = json!({"params": [{"value": 600_000}]});
    let (status, answer) = rest.post(&path, &body, None)?;
    ensure!(
        status != 200 && begun.elapsed() < LATE,
        "the call answered {status} after {:?}: {answer}",
        begun.elapsed()
    );
    Ok(())
}
