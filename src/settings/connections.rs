//! Which connections a timer works on: `ITSMC_CONNECTIONS`.

use super::{SettingsError, shown};
use crate::domain::name::ConnectionName;

/// The connections that are named; `None`: all in the vault.
pub(super) fn connections(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Vec<ConnectionName>>, SettingsError> {
    let Some(said) = variable("ITSMC_CONNECTIONS") else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for word in said
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        let name = ConnectionName::parse(word).map_err(|_| SettingsError {
            variable: "ITSMC_CONNECTIONS",
            found: shown(word),
            expected: "names of connections, separated by commas",
            hint: "`itsmc connection list` shows them; leave it out for all in the vault",
        })?;
        names.push(name);
    }
    names.sort_unstable();
    names.dedup();
    // A list with nothing in it is a mistake in a template, not a wish that nothing be done.
    Ok((!names.is_empty()).then_some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_and_nothing_means_all() {
        let of = |text: &'static str| {
            let said = move |_: &str| (!text.is_empty()).then(|| text.to_owned());
            connections(&said).map(|names| {
                names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
            })
        };
        assert_eq!(of("").unwrap(), None);
        assert_eq!(of(" , ").unwrap(), None);
        let named = Some(vec!["a".to_owned(), "b-1".to_owned()]);
        assert_eq!(of("b-1, a,a").unwrap(), named);
        let mistake = of("a,B").unwrap_err();
        assert!(mistake.to_string().contains("ITSMC_CONNECTIONS"));
    }
}
