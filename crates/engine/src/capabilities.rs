// SPDX-License-Identifier: Apache-2.0
//! THE STAGE / capabilities: what the workers of a component may do on this server: what it declares, within what the server
//! allows. In: a declaration, rules of the server. Out: rules, limits and an environment for one instance.
//! Read next: `limits.rs`, `secrets.rs`, `host/http/network.rs`. Why: docs/adr/0013-capabilities.md.

use std::sync::Arc;

use golem_model::capabilities::{Capabilities, CapabilityError, EnvSource, SecretName};
use golem_model::component::Component;
use golem_model::oplog::SecretPin;
use golem_model::{ComponentId, ComponentVersion};

use crate::host::{Guest, Network};
use crate::limits::{Allowance, LimitPolicy, over_maximum};
use crate::node::Node;
use crate::redact::Redactor;
use crate::secrets::{SecretError, Secrets};

/// What the operator of a server allows, whatever components declare.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    /// Where guests may connect to and listen at most.
    pub(crate) network: Arc<Network>,
    /// Limits.
    pub(crate) limits: LimitPolicy,
    /// Whether a component that declares nothing reaches nothing.
    pub(crate) declared_only: bool,
}

/// What one instance gets.
pub(crate) struct Given {
    /// Where it may connect to and listen.
    pub(crate) network: Arc<Network>,
    /// How much it may use.
    pub(crate) allowance: Allowance,
    /// Its whole environment, values of secrets included.
    pub(crate) env: Vec<(String, String)>,
    /// Takes values of secrets out of texts.
    pub(crate) redactor: Arc<Redactor>,
}

impl Policy {
    /// Refuses a declaration that this server could not keep. Errors: `BadRule`, `OverMaximum`, and those of
    /// [`Capabilities::check`].
    pub(crate) fn check(&self, declared: &Capabilities) -> Result<(), CapabilityError> {
        declared.check()?;
        Network::declared(&declared.network)?;
        match over_maximum(&self.limits, &declared.limits) {
            Some((bound, most)) => Err(CapabilityError::OverMaximum {
                limit: bound.limit.key(),
                wanted: bound.limit.show(bound.value),
                most: bound.limit.show(most),
            }),
            None => Ok(()),
        }
    }

    /// Where the workers of a component may connect to.
    fn network(&self, declared: Option<&Capabilities>) -> Arc<Network> {
        let Some(declared) = declared else {
            return if self.declared_only {
                Arc::default()
            } else {
                Arc::clone(&self.network)
            };
        };
        match Network::declared(&declared.network) {
            Ok(network) => Arc::new(network.within(Arc::clone(&self.network))),
            // It was checked when it was taken: by a later version of the rules, nothing is allowed.
            Err(error) => {
                tracing::error!(%error, "the rules of a component cannot be read");
                Arc::default()
            }
        }
    }

    /// What an instance of `guest` gets. Errors: a secret that is not there, or cannot be opened.
    pub(crate) fn give(
        &self,
        secrets: &Secrets,
        component: &Component,
        guest: &Guest,
    ) -> Result<Given, SecretError> {
        let declared = component.capabilities.as_ref();
        let mut redactor = Redactor::default();
        let mut env = Vec::new();
        for (name, source) in declared.iter().flat_map(|declared| &declared.env) {
            // What the worker was created with is nearer to it.
            if guest.given_env().iter().any(|(own, _)| own == name) {
                continue;
            }
            let value = match source {
                EnvSource::Plain(value) => value.clone(),
                // Declared by a later version than that whose start it shares: its start-up code has not seen it.
                EnvSource::Secret(_) if guest.start.is_some() => continue,
                EnvSource::Secret(SecretName { secret }) => {
                    let pin = guest.secrets.iter().find(|pin| pin.name == *secret);
                    let pin = pin.ok_or_else(|| SecretError::NotFound(secret.clone()))?;
                    let value = secrets.value(&component.namespace, &pin.name, pin.version)?;
                    redactor.hide(secret, &value);
                    value
                }
            };
            env.push((name.clone(), value));
        }
        env.extend(guest.full_env());
        let wanted = declared.map(|declared| declared.limits.clone());
        Ok(Given {
            network: self.network(declared),
            allowance: Allowance::new(&self.limits, &wanted.unwrap_or_default()),
            env,
            redactor: Arc::new(redactor),
        })
    }
}

impl Node {
    /// What an instance of `guest` gets that runs `component`. Errors: a secret that is not there, or cannot be opened.
    pub(crate) fn give(&self, component: &Component, guest: &Guest) -> Result<Given, SecretError> {
        self.policy().give(self.secrets(), component, guest)
    }

    /// The newest versions of the secrets that a component refers to, as far as they are there.
    pub(crate) fn pins(&self, component: &Component) -> Vec<SecretPin> {
        let declared = component.capabilities.iter();
        let names = declared.flat_map(Capabilities::secrets);
        let pin = |name: &str| {
            let version = self.secrets().newest(&component.namespace, name)?;
            Some(SecretPin {
                name: name.to_owned(),
                version,
            })
        };
        names.filter_map(pin).collect()
    }

    /// The same for a version of a component; none when it is not there, which its activation tells.
    pub(crate) fn pins_of(&self, id: ComponentId, version: ComponentVersion) -> Vec<SecretPin> {
        let component = self.component(id, Some(version));
        component.map_or_else(|_| Vec::new(), |component| self.pins(&component))
    }

    /// Secrets that a component refers to and that are not there.
    #[must_use]
    pub fn missing_secrets(&self, component: &Component) -> Vec<String> {
        let declared = component.capabilities.iter();
        let names = declared.flat_map(Capabilities::secrets);
        names
            .filter(|name| self.secrets().newest(&component.namespace, name).is_none())
            .map(str::to_owned)
            .collect()
    }
}
