"""Engine.IO and Socket.IO."""
