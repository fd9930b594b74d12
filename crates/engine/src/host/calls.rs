// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / calls: every host function that a guest can call, with its class. One row per WIT function that is
//! recorded; all interfaces that are linked stand in [`INTERFACES`]. Numbers are on disk: never reuse one.
//! Read next: `durable.rs`. Why: architecture D7.

/// How a host function is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Its answer is recorded and repeated; nothing changes outside.
    Read,
    /// It changes something outside the worker: a start entry before, an end entry after.
    RemoteWrite,
    /// It changes the store of the node: one entry, in the same commit as the change.
    LocalWrite,
}

/// A recorded host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its number in the log.
    pub(crate) number: u32,
    /// `package/interface.function`, without versions.
    pub(crate) name: &'static str,
    /// Its class.
    pub(crate) class: Class,
}

macro_rules! calls {
    ($($constant:ident = $number:literal, $name:literal, $class:ident;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub(crate) const $constant: Call = Call { number: $number, name: $name, class: Class::$class };
        )*
        /// Every recorded host function.
        pub(crate) const ALL: &[Call] = &[$($constant),*];
    };
}

calls! {
    RANDOM_BYTES = 1, "wasi:random/random.get-random-bytes", Read;
    RANDOM_U64 = 2, "wasi:random/random.get-random-u64", Read;
    INSECURE_BYTES = 3, "wasi:random/insecure.get-insecure-random-bytes", Read;
    INSECURE_U64 = 4, "wasi:random/insecure.get-insecure-random-u64", Read;
    INSECURE_SEED = 5, "wasi:random/insecure-seed.insecure-seed", Read;
    WALL_NOW = 6, "wasi:clocks/wall-clock.now", Read;
    SUBSCRIBE_DURATION = 7, "wasi:clocks/monotonic-clock.subscribe-duration", Read;
    POLL = 8, "wasi:io/poll.poll", Read;
    POLLABLE_READY = 9, "wasi:io/poll.[method]pollable.ready", Read;
    POLLABLE_BLOCK = 10, "wasi:io/poll.[method]pollable.block", Read;
    UNNAMED_WORKER = 11, "golem:rpc/types.[constructor]wasm-rpc", Read;
    RPC_INVOKE_AND_AWAIT = 12, "golem:rpc/types.[method]wasm-rpc.invoke-and-await", RemoteWrite;
    RPC_INVOKE = 13, "golem:rpc/types.[method]wasm-rpc.invoke", RemoteWrite;
    RPC_ASYNC_INVOKE_AND_AWAIT = 14, "golem:rpc/types.[method]wasm-rpc.async-invoke-and-await", RemoteWrite;
    RPC_FUTURE_GET = 15, "golem:rpc/types.[method]future-invoke-result.get", Read;
    COMPONENT_OF_NAME = 16, "golem:rpc/types.resolve-component", Read;
    RPC_REFUSED = 17, "golem:rpc/types.refused", Read;
    AWAIT_PROMISE = 18, "golem:api/host.await-promise", Read;
    COMPLETE_PROMISE = 19, "golem:api/host.complete-promise", RemoteWrite;
    DELETE_PROMISE = 20, "golem:api/host.delete-promise", RemoteWrite;
    GET_RETRY_POLICY = 21, "golem:api/host.get-retry-policy", Read;
    UPDATE_WORKER = 22, "golem:api/host.update-worker", RemoteWrite;
    SELF_METADATA = 23, "golem:api/host.get-self-metadata", Read;
    OTHER_METADATA = 24, "golem:api/host.get-worker-metadata", Read;
    GET_WORKERS_NEXT = 25, "golem:api/host.[method]get-workers.get-next", Read;
    POLL_PROMISE = 26, "golem:worker/host.poll-promise", Read;
    SCHEDULE = 27, "golem:worker/host.schedule-invocation", LocalWrite;
    SELF_URI = 29, "golem:api/host.get-self-uri", Read;
    CANCEL_SCHEDULED = 28, "golem:worker/host.cancel-scheduled", LocalWrite;
    GET_OPLOG_NEXT = 30, "golem:api/oplog.[method]get-oplog.get-next", Read;
    SEARCH_OPLOG_NEXT = 31, "golem:api/oplog.[method]search-oplog.get-next", Read;

    KV_GET = 100, "wasi:keyvalue/eventual.get", Read;
    KV_SET = 101, "wasi:keyvalue/eventual.set", LocalWrite;
    KV_DELETE = 102, "wasi:keyvalue/eventual.delete", LocalWrite;
    KV_EXISTS = 103, "wasi:keyvalue/eventual.exists", Read;
    KV_GET_MANY = 104, "wasi:keyvalue/eventual-batch.get-many", Read;
    KV_KEYS = 105, "wasi:keyvalue/eventual-batch.keys", Read;
    KV_SET_MANY = 106, "wasi:keyvalue/eventual-batch.set-many", LocalWrite;
    KV_DELETE_MANY = 107, "wasi:keyvalue/eventual-batch.delete-many", LocalWrite;
    INCREMENT = 108, "wasi:keyvalue/atomic.increment", LocalWrite;
    CAS = 109, "wasi:keyvalue/atomic.compare-and-swap", LocalWrite;
    CACHE_GET = 110, "wasi:keyvalue/cache.get", Read;
    CACHE_EXISTS = 111, "wasi:keyvalue/cache.exists", Read;
    CACHE_SET = 112, "wasi:keyvalue/cache.set", LocalWrite;
    CACHE_GET_OR_SET = 113, "wasi:keyvalue/cache.get-or-set", Read;
    CACHE_DELETE = 114, "wasi:keyvalue/cache.delete", LocalWrite;
    CACHE_FILL = 115, "wasi:keyvalue/types.[method]outgoing-value.outgoing-value-write-body-sync", LocalWrite;

    BLOB_CREATE_CONTAINER = 120, "wasi:blobstore/blobstore.create-container", LocalWrite;
    BLOB_GET_CONTAINER = 121, "wasi:blobstore/blobstore.get-container", Read;
    BLOB_DELETE_CONTAINER = 122, "wasi:blobstore/blobstore.delete-container", LocalWrite;
    BLOB_CONTAINER_EXISTS = 123, "wasi:blobstore/blobstore.container-exists", Read;
    BLOB_COPY = 124, "wasi:blobstore/blobstore.copy-object", LocalWrite;
    BLOB_MOVE = 125, "wasi:blobstore/blobstore.move-object", LocalWrite;
    BLOB_INFO = 126, "wasi:blobstore/container.[method]container.info", Read;
    BLOB_GET_DATA = 127, "wasi:blobstore/container.[method]container.get-data", Read;
    BLOB_WRITE = 128, "wasi:blobstore/container.[method]container.write-data", LocalWrite;
    BLOB_LIST = 129, "wasi:blobstore/container.[method]container.list-objects", Read;
    BLOB_DELETE = 130, "wasi:blobstore/container.[method]container.delete-object", LocalWrite;
    BLOB_DELETE_MANY = 131, "wasi:blobstore/container.[method]container.delete-objects", LocalWrite;
    BLOB_HAS = 132, "wasi:blobstore/container.[method]container.has-object", Read;
    BLOB_OBJECT_INFO = 133, "wasi:blobstore/container.[method]container.object-info", Read;
    BLOB_CLEAR = 134, "wasi:blobstore/container.[method]container.clear", LocalWrite;

    HTTP_SEND = 140, "wasi:http/outgoing-handler.handle", RemoteWrite;
    HTTP_RESPONSE = 141, "wasi:http/types.[method]future-incoming-response.get", Read;
    HTTP_TRAILERS = 142, "wasi:http/types.[method]future-trailers.get", Read;

    LOOKUP = 150, "wasi:sockets/ip-name-lookup.resolve-addresses", Read;
    LOOKUP_NEXT = 151, "wasi:sockets/ip-name-lookup.[method]resolve-address-stream.resolve-next-address", Read;
    TCP_CREATE = 152, "wasi:sockets/tcp-create-socket.create-tcp-socket", Read;
    TCP_START_CONNECT = 153, "wasi:sockets/tcp.[method]tcp-socket.start-connect", Read;
    TCP_CONNECTED = 154, "wasi:sockets/tcp.[method]tcp-socket.finish-connect", Read;
    TCP_LOCAL = 155, "wasi:sockets/tcp.[method]tcp-socket.local-address", Read;
    TCP_REMOTE = 156, "wasi:sockets/tcp.[method]tcp-socket.remote-address", Read;
    TCP_SHUTDOWN = 157, "wasi:sockets/tcp.[method]tcp-socket.shutdown", Read;
    TCP_KEEP_ALIVE = 158, "wasi:sockets/tcp.[method]tcp-socket.keep-alive-enabled", Read;
    TCP_SET_KEEP_ALIVE = 159, "wasi:sockets/tcp.[method]tcp-socket.set-keep-alive-enabled", Read;
    TCP_KEEP_ALIVE_IDLE = 160, "wasi:sockets/tcp.[method]tcp-socket.keep-alive-idle-time", Read;
    TCP_SET_KEEP_ALIVE_IDLE = 161, "wasi:sockets/tcp.[method]tcp-socket.set-keep-alive-idle-time", Read;
    TCP_KEEP_ALIVE_INTERVAL = 162, "wasi:sockets/tcp.[method]tcp-socket.keep-alive-interval", Read;
    TCP_SET_KEEP_ALIVE_INTERVAL = 163, "wasi:sockets/tcp.[method]tcp-socket.set-keep-alive-interval", Read;
    TCP_KEEP_ALIVE_COUNT = 164, "wasi:sockets/tcp.[method]tcp-socket.keep-alive-count", Read;
    TCP_SET_KEEP_ALIVE_COUNT = 165, "wasi:sockets/tcp.[method]tcp-socket.set-keep-alive-count", Read;
    TCP_HOP_LIMIT = 166, "wasi:sockets/tcp.[method]tcp-socket.hop-limit", Read;
    TCP_SET_HOP_LIMIT = 167, "wasi:sockets/tcp.[method]tcp-socket.set-hop-limit", Read;
    TCP_RECEIVE_BUFFER = 168, "wasi:sockets/tcp.[method]tcp-socket.receive-buffer-size", Read;
    TCP_SET_RECEIVE_BUFFER = 169, "wasi:sockets/tcp.[method]tcp-socket.set-receive-buffer-size", Read;
    TCP_SEND_BUFFER = 170, "wasi:sockets/tcp.[method]tcp-socket.send-buffer-size", Read;
    TCP_SET_SEND_BUFFER = 171, "wasi:sockets/tcp.[method]tcp-socket.set-send-buffer-size", Read;
    // Streams of sockets only: all others follow from what the guest does.
    STREAM_READ = 172, "wasi:io/streams.[method]input-stream.read", Read;
    STREAM_BLOCKING_READ = 173, "wasi:io/streams.[method]input-stream.blocking-read", Read;
    STREAM_CHECK_WRITE = 174, "wasi:io/streams.[method]output-stream.check-write", Read;
    STREAM_WRITE = 175, "wasi:io/streams.[method]output-stream.write", Read;
    STREAM_FLUSH = 176, "wasi:io/streams.[method]output-stream.flush", Read;
    STREAM_BLOCKING_WRITE = 177, "wasi:io/streams.[method]output-stream.blocking-write-and-flush", Read;
    STREAM_BLOCKING_FLUSH = 178, "wasi:io/streams.[method]output-stream.blocking-flush", Read;
    TCP_START_BIND = 179, "wasi:sockets/tcp.[method]tcp-socket.start-bind", Read;
    TCP_FINISH_BIND = 180, "wasi:sockets/tcp.[method]tcp-socket.finish-bind", Read;
    TCP_START_LISTEN = 181, "wasi:sockets/tcp.[method]tcp-socket.start-listen", Read;
    TCP_FINISH_LISTEN = 182, "wasi:sockets/tcp.[method]tcp-socket.finish-listen", Read;
    TCP_ACCEPT = 183, "wasi:sockets/tcp.[method]tcp-socket.accept", Read;
    TCP_SET_BACKLOG = 184, "wasi:sockets/tcp.[method]tcp-socket.set-listen-backlog-size", Read;
    UDP_CREATE = 185, "wasi:sockets/udp-create-socket.create-udp-socket", Read;
    UDP_START_BIND = 186, "wasi:sockets/udp.[method]udp-socket.start-bind", Read;
    UDP_FINISH_BIND = 187, "wasi:sockets/udp.[method]udp-socket.finish-bind", Read;
    UDP_STREAM = 188, "wasi:sockets/udp.[method]udp-socket.stream", Read;
    UDP_LOCAL = 189, "wasi:sockets/udp.[method]udp-socket.local-address", Read;
    UDP_REMOTE = 190, "wasi:sockets/udp.[method]udp-socket.remote-address", Read;
    UDP_HOP_LIMIT = 191, "wasi:sockets/udp.[method]udp-socket.unicast-hop-limit", Read;
    UDP_SET_HOP_LIMIT = 192, "wasi:sockets/udp.[method]udp-socket.set-unicast-hop-limit", Read;
    UDP_RECEIVE_BUFFER = 193, "wasi:sockets/udp.[method]udp-socket.receive-buffer-size", Read;
    UDP_SET_RECEIVE_BUFFER = 194, "wasi:sockets/udp.[method]udp-socket.set-receive-buffer-size", Read;
    UDP_SEND_BUFFER = 195, "wasi:sockets/udp.[method]udp-socket.send-buffer-size", Read;
    UDP_SET_SEND_BUFFER = 196, "wasi:sockets/udp.[method]udp-socket.set-send-buffer-size", Read;
    UDP_RECEIVE = 197, "wasi:sockets/udp.[method]incoming-datagram-stream.receive", Read;
    UDP_CHECK_SEND = 198, "wasi:sockets/udp.[method]outgoing-datagram-stream.check-send", Read;
    UDP_SEND = 199, "wasi:sockets/udp.[method]outgoing-datagram-stream.send", Read;
}

/// The recorded function of a number.
pub(crate) fn by_number(number: u32) -> Option<&'static Call> {
    ALL.iter().find(|call| call.number == number)
}

/// Interfaces that are linked. The answer of a function that is not in [`ALL`] is a constant of the worker, or follows from
/// what the guest did before.
pub(crate) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
    "golem:rpc/types",
    // Marks in the log have entries of their own kinds: an index, an atomic region, a level, a policy, a promise.
    "golem:api/host",
    "golem:api/oplog",
    "golem:worker/host",
    // A line is a hint, like one on stdout.
    "wasi:logging/logging",
    "wasi:keyvalue/types",
    "wasi:keyvalue/wasi-keyvalue-error",
    "wasi:keyvalue/eventual",
    "wasi:keyvalue/eventual-batch",
    "wasi:keyvalue/atomic",
    "wasi:keyvalue/cache",
    "wasi:blobstore/types",
    "wasi:blobstore/container",
    "wasi:blobstore/blobstore",
    "wasi:http/types",
    "wasi:http/outgoing-handler",
];

/// Packages that were published without a version, or with one that is not WASI 0.2. The others of WASI: any 0.2.x.
const VERSIONS: &[(&str, &str)] = &[
    ("wasi:logging", ""),
    ("wasi:blobstore", ""),
    ("wasi:keyvalue", "0.1.0"),
    ("golem:rpc", "0.1.0"),
    ("golem:api", "1.1.0"),
    ("golem:worker", "0.1.0"),
];

/// An interface that is linked in a second version: that of Golem 1.0, over the same implementation.
const OLD: &str = "golem:api/host@0.2.0";

/// Whether the platform provides an interface, by its full name with version.
pub(crate) fn provides(import: &str) -> bool {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    let package = name.split('/').next().unwrap_or(name);
    let right_version = match VERSIONS.iter().find(|(known, _)| *known == package) {
        Some((_, expected)) => version == *expected,
        None => version.starts_with("0.2."),
    };
    import == OLD || right_version && INTERFACES.contains(&name)
}

#[cfg(test)]
mod table;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_every_call_belongs_to_a_linked_interface() {
        for (at, call) in ALL.iter().enumerate() {
            assert!(
                ALL.iter()
                    .skip(at + 1)
                    .all(|other| other.number != call.number),
                "{}",
                call.name
            );
            let interface = call.name.split('.').next().unwrap();
            assert!(INTERFACES.contains(&interface), "{}", call.name);
            assert_eq!(by_number(call.number), Some(call));
        }
    }

    #[test]
    fn any_patch_of_wasi_is_provided_and_other_worlds_are_not() {
        assert!(
            provides("wasi:io/poll@0.2.0")
                && provides("wasi:io/poll@0.2.12")
                && provides("golem:rpc/types@0.1.0")
                && provides("golem:api/host@1.1.0")
                && provides("golem:api/host@0.2.0")
                && provides("golem:api/oplog@1.1.0")
        );
        assert!(
            !provides("wasi:io/poll@0.3.0")
                && !provides("wasi:http/types@0.3.0")
                && !provides("golem:rpc/types@0.2.0")
                && !provides("golem:api/oplog@0.2.0")
                && !provides("golem:api/host@0.2.1")
        );
    }
}
