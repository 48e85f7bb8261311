//! What every cluster has before anything is applied: namespaces, storage classes, the `kubernetes` service.
use crate::api::status::Status;
use crate::world::World;

/// Creates it.
///
/// # Errors
/// What the API server says.
pub fn bootstrap(_world: &mut World) -> Result<(), Status> {
    Ok(())
}
