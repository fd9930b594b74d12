// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / bindings: the interfaces of `wit/platform.wit` as Rust traits, and the host's side of their resources.
//! Never touches behaviour: one file per interface beside this one implements them. Read next: `linker.rs`.

#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export these types, which `pub(crate)` forbids"
)]
mod handles {
    use super::super::blobstore::{Container, Names};
    use super::super::body::Written;
    use super::super::keyvalue::{Cached, KeyValueError, Target};

    /// `wasi:keyvalue/types.bucket`
    pub struct BucketHandle(pub(in super::super) String);
    /// `wasi:keyvalue/wasi-keyvalue-error.error`
    pub struct ErrorHandle(pub(in super::super) KeyValueError);
    /// `wasi:keyvalue/types.outgoing-value`
    pub struct OutgoingValue {
        pub(in super::super) body: Written,
        pub(in super::super) target: Option<Target>,
    }
    /// `wasi:keyvalue/types.incoming-value`
    pub struct IncomingValue(pub(in super::super) bytes::Bytes);
    /// `wasi:keyvalue/cache.future-get-result` and its sisters.
    pub struct CacheFuture(pub(in super::super) Option<Cached>);
    /// `wasi:keyvalue/cache.future-exists-result`
    pub struct CacheExists(pub(in super::super) Option<Cached>);
    /// `wasi:keyvalue/cache.future-result`
    pub struct CacheDone(pub(in super::super) Option<Cached>);
    /// `wasi:keyvalue/cache.future-get-or-set-result`
    pub struct CacheEntry(
        pub(in super::super) Option<Cached>,
        pub(in super::super) String,
    );
    /// `wasi:keyvalue/cache.vacancy`
    pub struct Vacancy(pub(in super::super) Option<String>);
    /// `wasi:blobstore/container.container`
    pub struct ContainerHandle(pub(in super::super) Container);
    /// `wasi:blobstore/container.stream-object-names`
    pub struct NamesHandle(pub(in super::super) Names);
    /// `wasi:blobstore/types.outgoing-value`
    pub struct OutgoingBlob(pub(in super::super) Written);
    /// `wasi:blobstore/types.incoming-value`
    pub struct IncomingBlob(pub(in super::super) bytes::Bytes);
}

pub(super) use handles::{
    BucketHandle, CacheDone, CacheEntry, CacheExists, CacheFuture, ContainerHandle, ErrorHandle,
    IncomingBlob, IncomingValue, NamesHandle, OutgoingBlob, OutgoingValue, Vacancy,
};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "platform",
        imports: { default: async | trappable },
        with: {
            "wasi:io/error": wasmtime_wasi_io::bindings::wasi::io::error,
            "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
            "wasi:io/streams": wasmtime_wasi_io::bindings::wasi::io::streams,
            "wasi:keyvalue/wasi-keyvalue-error.error": super::handles::ErrorHandle,
            "wasi:keyvalue/types.bucket": super::handles::BucketHandle,
            "wasi:keyvalue/types.outgoing-value": super::handles::OutgoingValue,
            "wasi:keyvalue/types.incoming-value": super::handles::IncomingValue,
            "wasi:keyvalue/cache.future-get-result": super::handles::CacheFuture,
            "wasi:keyvalue/cache.future-exists-result": super::handles::CacheExists,
            "wasi:keyvalue/cache.future-result": super::handles::CacheDone,
            "wasi:keyvalue/cache.future-get-or-set-result": super::handles::CacheEntry,
            "wasi:keyvalue/cache.vacancy": super::handles::Vacancy,
            "wasi:blobstore/container.container": super::handles::ContainerHandle,
            "wasi:blobstore/container.stream-object-names": super::handles::NamesHandle,
            "wasi:blobstore/types.outgoing-value": super::handles::OutgoingBlob,
            "wasi:blobstore/types.incoming-value": super::handles::IncomingBlob,
            "wasi:http/types.fields": super::super::http::resources::Fields,
            "wasi:http/types.incoming-request": super::super::http::resources::Incoming,
            "wasi:http/types.response-outparam": super::super::http::resources::Outparam,
            "wasi:http/types.incoming-body": super::super::http::resources::IncomingBody,
            "wasi:http/types.incoming-response": super::super::http::resources::IncomingResponse,
            "wasi:http/types.outgoing-body": super::super::http::resources::OutgoingBody,
            "wasi:http/types.outgoing-response": super::super::http::resources::OutgoingResponse,
            "wasi:http/types.outgoing-request": super::super::http::resources::OutgoingRequest,
            "wasi:http/types.request-options": super::super::http::resources::Options,
            "wasi:http/types.future-incoming-response": super::super::http::resources::Future,
            "wasi:http/types.future-trailers": super::super::http::resources::Trailers,
        },
        require_store_data_send: true,
    });
}

pub(super) use generated::wasi::{blobstore, http, keyvalue, logging};
