// SPDX-License-Identifier: Apache-2.0
//! THE DOOR / limits: everything that a client can grow, as constants with the reason. In: nothing. Out: numbers.
//! Never decides what happens at a limit. Read next: `http/extract.rs`, `listen.rs`. Source: reliability spec §5, F15.

use std::time::Duration;

use golem_model::component::{INITIAL_FILES_BYTES_MAX, INITIAL_FILES_MAX, INITIAL_PATH_BYTES_MAX};

/// Largest component that can be uploaded: the limit of the 1.1 executor, so that what is taken here runs there.
pub const COMPONENT_BYTES_MAX: usize = 50 << 20;
/// What an archive may have for one file beside its content: the two headers of a zip archive with its longest path in each.
pub const FILES_ARCHIVE_ENTRY_BYTES_MAX: usize = 128 + 2 * INITIAL_PATH_BYTES_MAX;
/// Largest archive of initial files: what it may hold unpacked, should nothing of it become smaller.
pub const FILES_ARCHIVE_BYTES_MAX: usize =
    INITIAL_FILES_BYTES_MAX + INITIAL_FILES_MAX * FILES_ARCHIVE_ENTRY_BYTES_MAX;
/// What an upload may have beside the component and the initial files: names, boundaries, parts that are skipped.
pub const UPLOAD_REST_BYTES_MAX: usize = 5 << 20;
/// Largest upload.
pub const UPLOAD_BYTES_MAX: usize =
    COMPONENT_BYTES_MAX + FILES_ARCHIVE_BYTES_MAX + UPLOAD_REST_BYTES_MAX;
/// Largest text part of an upload: names have 100 characters.
pub const TEXT_PART_BYTES_MAX: usize = 64 << 10;
/// Largest list of permissions: a path for each initial file.
pub const PERMISSIONS_BYTES_MAX: usize = 4 << 20;
/// Bytes of a worker's file that are read at once for an answer: enough that reading does not cost more than sending.
pub const FILE_CHUNK_BYTES: u64 = 256 << 10;
/// Uploads that are read at once. Each holds up to [`COMPONENT_BYTES_MAX`] and [`FILES_ARCHIVE_BYTES_MAX`] in memory; the others wait.
pub const UPLOADS_AT_ONCE: usize = 2;
/// Longest time to receive an upload: 50 MiB over a slow line.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// Largest JSON body. A list of bytes takes up to four characters per byte, so this carries 4 MiB of them.
pub const JSON_BYTES_MAX: usize = 16 << 20;
/// A JSON body up to here is decoded without asking for a share of [`JSON_BUDGET_KIB`]: nearly every invocation.
pub const SMALL_JSON_BYTES_MAX: usize = 256 << 10;
/// KiB of larger JSON bodies that are in memory at once. Decoding takes about 16 times the text (a list of small
/// numbers), so this bounds it to 512 MiB; the others wait.
pub const JSON_BUDGET_KIB: u32 = 32 << 10;
/// Longest time to receive a JSON body.
pub const JSON_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request: request line and headers together.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest time until the head of the next request is there; a connection without requests ends after it.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a request that changes something waits for a disk that does not keep up before it is sent away: longer than a disk
/// of the cloud stalls in a bad minute, shorter than clients wait.
pub const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at once: what the usual limit of open files leaves beside the store's. Others wait in the backlog.
pub const CONNECTIONS_MAX: u32 = 8192;
/// Pause after the system refused to give a connection (no file handles left), so that the loop does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Exports at once: each holds back space of the store; others wait.
pub const EXPORTS_AT_ONCE: usize = 1;
/// How long a transfer of an export waits for the next piece to go or to come: a line that is this long silent is broken.
pub const TRANSFER_PAUSE: Duration = Duration::from_secs(60);

/// Longest idempotency key. It is stored with every invocation; keys of clients are UUIDs of 36 characters.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest worker name in a path. Names made over REST have at most 100 characters, workers may choose longer ones.
pub const WORKER_NAME_BYTES_MAX: usize = 512;
/// Workers in a page of a listing when the client does not say.
pub const WORKERS_PAGE: usize = 50;
/// Most workers in a page of a listing.
pub const WORKERS_PAGE_MAX: usize = 1000;
/// Workers that one request looks at when conditions choose few of them; the page may then be short, with a cursor.
pub const WORKERS_SCAN_MAX: u64 = 10_000;
/// Ends of pages that are remembered, so that the next page begins by name; a forgotten one is counted from the start.
pub const CURSORS_MAX: usize = 1024;

/// Entries in a page of an oplog when the client does not say: what clients of 1.1 ask for.
pub const OPLOG_PAGE: usize = 100;

/// Listeners of workers at once: each reads a log ten times a second while nothing happens there.
pub const LISTENERS_MAX: usize = 256;
/// Longest message of a listener: it has nothing to say but pings and its end.
pub const LISTENER_SAYS_BYTES_MAX: usize = 4 << 10;
/// How long a listener waits before it looks again whether its worker has done something: people do not see less.
pub const LISTEN_PAUSE: Duration = Duration::from_millis(100);
/// How often a listener gets a ping, as from the servers of 1.1.
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// A listener that does not take what it is told within this time is cut off; it can go on where it was.
pub const LISTENER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stopping server waits for the replies of running requests before it stops the engine.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it then waits for the replies that the stopping engine gave.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
