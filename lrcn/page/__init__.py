"""A web page on which somebody without Python drops a video or an image."""
