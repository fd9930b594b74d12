// SPDX-License-Identifier: Apache-2.0
//! THE SCALES / peer: the guests of `benches/guests`, written for Restate: the same operations under the same names, with its
//! Rust SDK. In: `PORT`. Out: a service endpoint on 127.0.0.1. Never run without Restate in front of it.
//! Read next: `benches/e2e/src/peer.rs`, which starts both.

use restate_sdk::prelude::*;

/// A counter with one value in the state of its object.
struct Counter;

#[object]
impl Counter {
    /// Adds `n` and returns the new total.
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, n: u64) -> Result<u64, TerminalError> {
        let total = ctx.get::<u64>("total").await?.unwrap_or(0) + n;
        ctx.set("total", total);
        Ok(total)
    }

    /// The total; does not wait for calls that write.
    #[handler]
    async fn get(&self, ctx: SharedObjectContext<'_>) -> Result<u64, TerminalError> {
        Ok(ctx.get::<u64>("total").await?.unwrap_or(0))
    }
}

/// Calls counters: once, many times in a row, and many at once.
struct Caller;

#[object]
impl Caller {
    /// One awaited add of `n` on the counter `c-<own key>`; returns its new total.
    #[handler]
    async fn one(&self, ctx: ObjectContext<'_>, n: u64) -> Result<u64, TerminalError> {
        let counter = ctx.object_client::<CounterClient>(format!("c-{}", ctx.key()));
        Ok(counter.add(n).call().await?)
    }

    /// `k` awaited adds of 1 on that counter, one after the other; returns its last total.
    #[handler]
    async fn seq(&self, ctx: ObjectContext<'_>, k: u64) -> Result<u64, TerminalError> {
        let mut last = 0;
        for _ in 0..k {
            let counter = ctx.object_client::<CounterClient>(format!("c-{}", ctx.key()));
            last = counter.add(1).call().await?;
        }
        Ok(last)
    }

    /// Starts adds of 1 on the `k` counters `f-<own key>-<i>`, then awaits all; returns the sum of their totals.
    #[handler]
    async fn fan(&self, ctx: ObjectContext<'_>, k: u64) -> Result<u64, TerminalError> {
        let mut calls = DurableFuturesUnordered::new();
        for i in 0..k {
            let counter = ctx.object_client::<CounterClient>(format!("f-{}-{i}", ctx.key()));
            calls.push(counter.add(1).call());
        }
        let mut sum = 0;
        while let Some((_, total)) = calls.next().await? {
            sum += total?;
        }
        Ok(sum)
    }
}

/// Durable steps: `ctx.run` commits each before the next.
struct Steps;

#[object]
impl Steps {
    /// Does `k` durable steps and returns how many were done.
    #[handler]
    async fn steps(&self, ctx: ObjectContext<'_>, k: u64) -> Result<u64, TerminalError> {
        let mut done = 0;
        for step in 0..k {
            // What a durable random number is there: a value made once and read from the journal ever after.
            done += ctx
                .run(|| async move { Ok(step | 1) })
                .name("step")
                .await?
                .min(1);
        }
        Ok(done)
    }

    /// Does `k` durable steps, then waits until somebody resolves an awakeable, which nobody does but the harness. The replay of
    /// these steps is what it measures.
    #[handler]
    async fn wait(&self, ctx: ObjectContext<'_>, k: u64) -> Result<u64, TerminalError> {
        for step in 0..k {
            ctx.run(|| async move { Ok(step | 1) }).name("step").await?;
        }
        let (id, resolved) = ctx.awakeable::<u64>();
        ctx.set("awakeable", id);
        resolved.await
    }

    /// The awakeable that `wait` waits for, empty until it does.
    #[handler]
    async fn waits(&self, ctx: SharedObjectContext<'_>) -> Result<String, TerminalError> {
        Ok(ctx.get::<String>("awakeable").await?.unwrap_or_default())
    }
}

#[tokio::main]
async fn main() -> Result<(), std::num::ParseIntError> {
    let port: u16 = std::env::var("PORT").unwrap_or_default().parse()?;
    let endpoint = Endpoint::builder()
        .bind(Counter)
        .bind(Caller)
        .bind(Steps)
        .build();
    HttpServer::new(endpoint)
        .listen_and_serve(std::net::SocketAddr::from(([127, 0, 0, 1], port)))
        .await;
    Ok(())
}
