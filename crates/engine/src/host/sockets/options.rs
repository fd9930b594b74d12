// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / options: options of a socket, read and set: recorded, because the system may refuse them and choose other
//! values. In: rows of names. Out: the functions of `tcp.rs` and `udp.rs`.

/// Functions that read and set options of a socket of type `$socket`.
macro_rules! options {
    ($socket:ty; $($get:ident = $get_call:ident, $set:ident = $set_call:ident, $type:ty, $value:ident;)*) => {
        $(
            fn $get(&mut self, socket: Resource<$socket>) -> SocketResult<$type> {
                let answer = self.0.socket_call($get_call, &socket, &[], |state, socket| {
                    Ok(Value::$value(state.sockets().$get(socket)?))
                })?;
                match answer {
                    Value::$value(value) => Ok(value),
                    _ => Err(wrong($get_call)),
                }
            }

            fn $set(&mut self, socket: Resource<$socket>, value: $type) -> SocketResult<()> {
                let input = Value::$value(value).to_bytes();
                self.0.socket_call($set_call, &socket, &input, |state, socket| {
                    state.sockets().$set(socket, value)?;
                    Ok(done())
                })?;
                Ok(())
            }
        )*
    };
}

pub(super) use options;
