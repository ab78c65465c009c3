"""Jets as images: clustering, preprocessing and pixels of the normalized-autoencoder paper."""
